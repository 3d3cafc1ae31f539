//! What HAProxy's runtime socket says: its servers, and what it answers to a command.

/// Administrative states that keep requests away: maintenance (1, 2, 32, 64) and drain (8, 16).
/// 4 only says that the configuration began with maintenance.
const AWAY: u32 = 1 | 2 | 8 | 16 | 32 | 64;
/// Forced maintenance.
const MAINTENANCE: u32 = 1;
/// Forced drain.
const DRAIN: u32 = 8;
/// The operational state of a server that runs.
const RUNNING: u32 = 2;

/// One server, of `show servers state` (version 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// `backend/server`.
    pub(super) name: String,
    /// Its port; 0 for the client's.
    pub(super) port: u16,
    /// 0 stopped, 1 starting, 2 running, 3 stopping.
    pub(super) state: u32,
    /// The administrative state, as bits.
    pub(super) admin: u32,
    /// Its weight.
    pub(super) weight: u32,
    /// Its weight in the configuration.
    pub(super) initial: u32,
}

impl Server {
    /// Whether it gets requests while it runs.
    pub(super) fn receives(&self) -> bool {
        self.weight > 0 && self.is_ready()
    }

    /// Whether nobody keeps requests away from it.
    pub(super) fn is_ready(&self) -> bool {
        self.admin & AWAY == 0
    }

    /// Whether it runs, as its health check tells; without one it always does.
    pub(super) fn is_up(&self) -> bool {
        self.state == RUNNING
    }

    /// The word for its administrative state in `set server … state`.
    pub(super) fn admin_word(&self) -> &'static str {
        match self.admin {
            admin if admin & MAINTENANCE != 0 => "maint",
            admin if admin & DRAIN != 0 => "drain",
            _ => "ready",
        }
    }

    /// The word for all requests in `set server … weight`. A percentage where there is something
    /// that it can be a percentage of: static algorithms take nothing else.
    pub(super) fn full(&self) -> String {
        if self.initial > 0 { "100%".into() } else { "100".into() }
    }

    /// The word for its present weight.
    pub(super) fn weight_word(&self) -> String {
        match self.weight {
            0 => "0%".into(),
            weight if weight == self.initial => "100%".into(),
            weight => weight.to_string(),
        }
    }
}

/// The columns that are read.
const COLUMNS: [&str; 7] = [
    "be_name",
    "srv_name",
    "srv_port",
    "srv_op_state",
    "srv_admin_state",
    "srv_uweight",
    "srv_iweight",
];

/// Reads the answer to `show servers state`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(answer: &str) -> Result<Vec<Server>, String> {
    let mut lines = answer.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines.next() {
        Some("1") => {}
        Some(first) if first.chars().all(|c| c.is_ascii_digit()) => {
            return Err(format!("the state is of version {first}; 1 is known"));
        }
        other => return Err(other.unwrap_or("the answer is empty").to_owned()),
    }
    let head = lines.next().and_then(|line| line.strip_prefix("# "));
    let head: Vec<&str> = head.ok_or("the state has no heading")?.split(' ').collect();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let found = head.iter().position(|name| *name == column);
        *place = found.ok_or_else(|| format!("the state has no column {column}"))?;
    }
    lines
        .map(|line| server(line, places).ok_or_else(|| format!("the state has {line:?}")))
        .collect()
}

fn server(line: &str, places: [usize; COLUMNS.len()]) -> Option<Server> {
    let fields: Vec<&str> = line.split(' ').collect();
    let mut values = [""; COLUMNS.len()];
    for (value, place) in values.iter_mut().zip(places) {
        *value = fields.get(place)?;
    }
    let [backend, name, port, state, admin, weight, initial] = values;
    Some(Server {
        name: format!("{backend}/{name}"),
        // A server that has none says `-`.
        port: if port == "-" { 0 } else { port.parse().ok()? },
        state: state.parse().ok()?,
        admin: admin.parse().ok()?,
        weight: weight.parse().ok()?,
        initial: initial.parse().ok()?,
    })
}

/// Servers as text, a line each, for [`Route::Saved`](crate::decide::plan::Route::Saved).
pub(super) fn save(servers: &[Server]) -> String {
    let lines = servers.iter().map(|server| {
        let Server { name, port, state, admin, weight, initial } = server;
        format!("{name} {port} {state} {admin} {weight} {initial}\n")
    });
    lines.collect()
}

/// Reads what [`save`] wrote; nothing when it is something else.
pub(super) fn saved(text: &str) -> Option<Vec<Server>> {
    let servers = text.lines().map(|line| {
        let [name, numbers @ ..] = &*line.split(' ').collect::<Vec<_>>() else { return None };
        let [port, state, admin, weight, initial] = numbers else { return None };
        let (backend, server) = name.split_once('/')?;
        Some(Server {
            name: [backend, server].iter().all(|name| is_name(name)).then(|| (*name).to_owned())?,
            port: port.parse().ok()?,
            state: state.parse().ok()?,
            admin: admin.parse().ok()?,
            weight: weight.parse().ok()?,
            initial: initial.parse().ok()?,
        })
    });
    servers.collect::<Option<Vec<_>>>().filter(|servers| !servers.is_empty())
}

/// Whether HAProxy takes a text for the name of a backend or server; no other one may stand in
/// a line of its socket, where `;` begins the next command.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c))
}

/// What to do about a message of HAProxy's.
pub(super) fn advice(message: &str) -> &'static str {
    let says = |part: &str| message.to_ascii_lowercase().contains(part);
    if says("permission denied") {
        "; the socket needs `level admin` on its `stats socket` line"
    } else if says("backend.") {
        "; `backend` is the name behind the word `backend` in haproxy.cfg"
    } else if says("no such server") {
        "; `servers` maps each slot to a name behind the word `server` in haproxy.cfg"
    } else if says("static lb algorithm") {
        "; give both servers a `weight` above 0, or take a `balance` that is not static"
    } else if says("unknown command") {
        "; it must be the socket of a process, and not the master's"
    } else {
        ""
    }
}

#[cfg(test)]
#[path = "servers_tests.rs"]
mod tests;
