//! Writes a proposal down: each guess with its reason behind it.

use super::proposal::{PORTS, Plan, RouterWord};
use super::words::{address, line, path_of, plain, registry, scalar};
use crate::decide::compose_kinds::{Kind, Proxy};

/// What is asked where no Compose file tells it.
const HEALTH: &str = "/health";

impl Plan<'_> {
    /// The file.
    pub(super) fn text(&self, to_do: &[String]) -> String {
        let mut out = String::new();
        let files = self.project.files.join(" and ");
        line(
            &mut out,
            "# How releases of this service are deployed, and what makes one good. Proposed from",
        );
        line(
            &mut out,
            &format!("# {}: what stands behind a # is why. Look at each guess.", plain(&files)),
        );
        line(&mut out, "# Every key is described in docs/configuration.md.");
        line(&mut out, "version: 1");
        line(&mut out, &format!("service: {}", scalar(&self.name)));
        line(
            &mut out,
            "# host: ssh://deploy@shop.example.com # if the Compose project is on another machine",
        );
        if let Some(public) = self.public() {
            line(&mut out, &format!("public: {public}"));
        }
        if !to_do.is_empty() {
            line(&mut out, "\n# Before the first deployment:");
            for one in to_do {
                line(&mut out, &format!("# - {}", plain(one)));
            }
        }
        self.platform(&mut out);
        self.strategy(&mut out);
        self.checks(&mut out);
        line(&mut out, "\nnotify: [file] # or github-issue, where a token may write issues");
        out
    }

    /// Where requests are answered when what answers publishes no port itself.
    fn public(&self) -> Option<String> {
        let hidden = self.front().is_none_or(|front| front.service.ports.is_empty());
        let (proxy, _) = self.proxy().filter(|_| hidden && self.router().is_none())?;
        let name = plain(&proxy.service.name);
        let ports = proxy.service.ports.iter().filter_map(|(published, _)| *published);
        let port = ports.min_by_key(|port| (*port == 443, *port));
        Some(format!("{} # {name} sends requests on from there", address(port.unwrap_or(80))))
    }

    fn platform(&self, out: &mut String) {
        line(out, "\nplatform:\n  compose:");
        let files: Vec<String> = self.project.files.iter().map(|file| scalar(file)).collect();
        match files.as_slice() {
            [one] => line(out, &format!("    file: {one}")),
            many => {
                line(
                    out,
                    &format!(
                        "    file: [{}] # leave the second one out if it is for development",
                        many.join(", ")
                    ),
                );
            }
        }
        if let Some(file) = &self.about.env_file {
            line(out, &format!("    env-file: {}", scalar(file)));
        }
        self.list(out, Kind::Switched, "switch", "one for each slot, where there are slots");
        self.list(out, Kind::Restarted, "restart", "in place: two at once would do the work twice");
        self.list(out, Kind::Shared, "shared", "started once and left alone; data is kept");
        for name in &self.project.with_profile {
            line(
                out,
                &format!("    # {}: only with a profile, so it is not deployed", plain(name)),
            );
        }
        if let (Some(port), Some(front)) = (self.port(), self.front()) {
            let lone = self.of(Kind::Switched).count() == 1;
            let name = scalar(&front.service.name);
            let value = if lone { port.to_string() } else { format!("{{ {name}: {port} }}") };
            line(
                out,
                &format!("    port: {value} # of the container: where requests are answered"),
            );
        }
        if let Some(server) = self.services.iter().find_map(|(found, guess)| {
            registry(found.service.image.as_deref()?).filter(|_| guess.kind != Kind::Shared)
        }) {
            let server = scalar(server);
            line(
                out,
                &format!(
                    "    # registry: {{ server: {server}, user: …, password: \"${{REGISTRY_TOKEN}}\" }} # if it wants a login"
                ),
            );
        }
    }

    fn list(&self, out: &mut String, kind: Kind, key: &str, what: &str) {
        let mut all = self.of(kind).peekable();
        if all.peek().is_none() {
            return;
        }
        line(out, &format!("    {key}: # {what}"));
        for (found, guess) in all {
            line(out, &format!("      - {} # {}", scalar(&found.service.name), plain(&guess.why)));
        }
    }

    fn strategy(&self, out: &mut String) {
        out.push('\n');
        let Some(router) = self.router() else {
            let in_container = self.proxy().map(|(found, _)| plain(&found.service.name));
            if let Some(name) = in_container {
                line(
                    out,
                    &format!(
                        "# {name} runs in a container and does not reach slots, which are ports of this machine. With a router"
                    ),
                );
                line(
                    out,
                    "# on the machine: `waveoff init --router nginx` (or haproxy, command) proposes blue-green.",
                );
            } else if self.port().is_some() {
                line(
                    out,
                    "# With a router before it: `waveoff init --router nginx` (or haproxy, command) proposes blue-green.",
                );
            }
            line(out, "strategy:\n  rolling: { watch: 30s }");
            return;
        };
        let [blue, green] = self.free_ports();
        line(
            out,
            "# In a slot nothing is published but `port`, as the slot's. Nothing else in the Compose file has",
        );
        line(out, "# these ports; is there anything else on the machine that has?");
        line(
            out,
            &format!(
                "strategy:\n  blue-green:\n    slots: {{ blue: {blue}, green: {green} }}\n    watch: 5m"
            ),
        );
        let name = scalar(&self.name);
        line(out, "router:");
        match router {
            RouterWord::Nginx => {
                let own = self
                    .proxy()
                    .filter(|(found, proxy)| found.service.is_on_host && *proxy == Proxy::Nginx);
                line(
                    out,
                    "  # Your nginx.conf includes this file in `http`. It is written by waveoff alone, and its",
                );
                line(out, &format!("  # upstream is used by `proxy_pass http://{};`.", self.name));
                line(out, &format!("  nginx:\n    include: /etc/nginx/waveoff/{}.conf", self.name));
                if let Some((found, _)) = own {
                    let files =
                        self.project.files.iter().flat_map(|file| ["-f".to_owned(), scalar(file)]);
                    let files = files.collect::<Vec<_>>().join(", ");
                    let service = scalar(&found.service.name);
                    line(
                        out,
                        "    # The folder has to be mounted into the container, under the same path.",
                    );
                    line(
                        out,
                        &format!(
                            "    reload: [docker, compose, {files}, exec, -T, {service}, nginx, -s, reload]"
                        ),
                    );
                }
            }
            RouterWord::Haproxy => {
                line(
                    out,
                    "  haproxy:\n    socket: /run/haproxy/admin.sock # `stats socket … level admin` in haproxy.cfg",
                );
                line(
                    out,
                    &format!(
                        "    backend: {name} # with `server blue 127.0.0.1:{blue}` and `server green 127.0.0.1:{green}`"
                    ),
                );
            }
            RouterWord::Command => {
                line(
                    out,
                    "  command:\n    switch: [./switch.sh] # gets WAVEOFF_SLOT and WAVEOFF_PORT\n    active: [./which-slot.sh] # prints the slot",
                );
            }
        }
        let own = self.proxy().and_then(|(found, _)| found.service.ports.first()?.0);
        line(
            out,
            &format!(
                "    url: {} # where it answers, as seen from this machine",
                address(own.unwrap_or(80))
            ),
        );
    }

    /// Two ports of the machine that nothing in the Compose file publishes.
    fn free_ports(&self) -> [u16; 2] {
        let taken: Vec<u16> = self
            .services
            .iter()
            .flat_map(|(found, _)| {
                found.service.ports.iter().filter_map(|(published, _)| *published)
            })
            .collect();
        let mut free = (PORTS..u16::MAX).filter(|port| !taken.contains(port));
        [free.next().unwrap_or(PORTS), free.next().unwrap_or(PORTS + 1)]
    }

    fn checks(&self, out: &mut String) {
        line(out, "\n# The health that containers tell of themselves is looked at besides these.");
        line(out, "checks:");
        let Some(front) = self.front() else {
            let released = self.services.iter().filter(|(_, guess)| guess.kind != Kind::Shared);
            let names: Vec<String> =
                released.map(|(found, _)| scalar(&found.service.name)).collect();
            let of = if names.is_empty() {
                String::new()
            } else {
                format!(", services: [{}]", names.join(", "))
            };
            let project = scalar(&self.about.project);
            line(
                out,
                &format!("  - container: {{ project: {project}{of} }} # nothing answers requests"),
            );
            line(out, "    within: 2m");
            return;
        };
        let asked = front.service.health.as_deref().and_then(path_of);
        let why = match &asked {
            Some(_) => {
                format!("as the health check of {} in the Compose file", plain(&front.service.name))
            }
            None => "a guess: the address that answers when the release is well".into(),
        };
        let path = asked.unwrap_or_else(|| HEALTH.to_owned());
        line(out, &format!("  - path: {} # {why}", scalar(&path)));
        line(out, "    within: 2m\n    expect:\n      - status: 200");
        if self.router().is_some() {
            line(
                out,
                "      # Proves which slot answers. The service has to tell its version: in a header, or in JSON as",
            );
            line(out, "      # `version: { jsonpath: $.version }`.");
            line(out, "      - version: { header: X-Version }");
        } else {
            line(
                out,
                "      # Proves that no old container answered, if the service tells its version:",
            );
            line(out, "      # - version: { header: X-Version } # or { jsonpath: $.version }");
        }
    }
}
