//! PostgreSQL: it takes clients, and what its tables say.

use super::{Attempt, Kind, Probe, Surroundings, tcp, trust};
use crate::config::CheckSpec;
use crate::config::services::{PostgresSpec, TlsMode};
use crate::decide::expect::Expect;
use crate::decide::jsonpath;
use crate::decide::observation::Observation;
use crate::decide::predicate::Predicate;
use crate::decide::verdict::Severity;
use crate::host::postgres::{Login, Question, ask};
use crate::host::tls::{Tls, Trust};

/// A PostgreSQL server.
pub(super) static POSTGRES: Kind =
    Kind { key: "postgres", keys: trust::KEYS, severity: Severity::Critical, build };

const TABLES: &str = "SELECT count(*) FROM pg_catalog.pg_tables \
                      WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
// Its rows are what was done, in this order: migrations, baselines, and by undo or repair (DELETE)
// what undoes an earlier one. A migration without a version is one that is run again whenever it has
// changed. The second column is why the value does not count: the newest one failed.
const FLYWAY: &str = "WITH all_rows AS (SELECT *, type = 'DELETE' OR type LIKE 'UNDO%' AS undoes \
    FROM flyway_schema_history), valid AS (SELECT * FROM all_rows a WHERE NOT (undoes AND success) \
    AND NOT EXISTS (SELECT 1 FROM all_rows b WHERE b.undoes AND b.success \
    AND b.installed_rank > a.installed_rank AND b.version IS NOT DISTINCT FROM a.version \
    AND (a.version IS NOT NULL OR b.description = a.description))) \
    SELECT (SELECT version FROM valid WHERE success AND version IS NOT NULL \
    ORDER BY installed_rank DESC LIMIT 1), \
    (SELECT format('%s %s has failed', type, coalesce(version, description)) FROM valid \
    WHERE NOT success AND installed_rank IN ((SELECT max(installed_rank) FROM valid), \
    (SELECT max(installed_rank) FROM valid WHERE version IS NOT NULL)) \
    ORDER BY installed_rank DESC LIMIT 1)";
const ALEMBIC: &str =
    "SELECT string_agg(version_num, ',' ORDER BY version_num) FROM alembic_version";

struct Postgres {
    question: Question,
    wanted: Vec<Expect>,
    insecure: bool,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let own = spec.postgres.clone().unwrap_or_default().0;
    let (host, port) = tcp::parse(&own.address).map_err(|why| format!("postgres: {why}"))?;
    let trust = trust::read(spec)?;
    let mode = mode(own.tls, &trust)?;
    // As its own clients do it: who only prefers TLS takes what he gets.
    let insecure = trust.insecure || mode == TlsMode::Prefer;
    let warned = trust.insecure;
    let tls = Tls::new(&Trust { insecure, ..trust }, &[])?;
    let (asks, wanted) = asks(&own).map_err(|why| format!("postgres: {why}"))?;
    let login = login(own, !asks.is_empty()).map_err(|why| format!("postgres: {why}"))?;
    let question = Question { host, port, login, mode, tls, verifies: !insecure, asks };
    Ok(Box::new(Postgres { question, wanted, insecure: warned }))
}

/// Whether by TLS: what verifies a server, or shows who asks, is worth nothing where it may say no.
fn mode(wanted: Option<TlsMode>, trust: &Trust) -> Result<TlsMode, String> {
    let needs_tls = trust.ca.is_some() || trust.identity.is_some();
    match wanted {
        Some(TlsMode::Disable) if *trust != Trust::default() => {
            Err("postgres: ca, insecure and client-cert need TLS; leave out `tls: disable`".into())
        }
        Some(TlsMode::Prefer) if needs_tls => {
            Err("postgres: ca and client-cert need TLS, which `tls: prefer` goes without when the \
             server has none; write `tls: require`, or leave `tls` out"
                .into())
        }
        None if needs_tls => Ok(TlsMode::Require),
        wanted => Ok(wanted.unwrap_or_default()),
    }
}

fn login(own: PostgresSpec, has_asks: bool) -> Result<Option<Login>, String> {
    let Some(user) = own.user else {
        return match has_asks || own.password.is_some() || own.database.is_some() {
            true => {
                Err("needs a user beside password, database, query, tables, flyway, alembic".into())
            }
            false => Ok(None),
        };
    };
    let database = own.database.unwrap_or_else(|| user.clone());
    let password = own.password.as_ref().map(|password| password.expose());
    let texts = [Some(user.as_str()), Some(database.as_str()), password];
    if texts.iter().flatten().any(|text| text.is_empty() || text.contains('\0')) {
        return Err("user, database or password is empty or has a NUL in it".into());
    }
    Ok(Some(Login { user, password: own.password, database }))
}

type Asks = (Vec<(String, String)>, Vec<Expect>);

/// The statements, and what is wanted of what they give.
fn asks(own: &PostgresSpec) -> Result<Asks, String> {
    let (mut asks, mut wanted) = (Vec::new(), Vec::new());
    if let Some(spec) = &own.tables {
        let predicate = spec.predicate().map_err(|why| format!("tables: {why}"))?;
        wanted.push(Expect::JsonPath(Box::new(jsonpath::parse("$.tables")?), predicate));
        asks.push(("tables".to_owned(), TABLES.to_owned()));
    }
    let versions = [
        ("flyway", "$.flyway", FLYWAY, &own.flyway),
        ("alembic", "$.alembic", ALEMBIC, &own.alembic),
    ];
    for (fact, path, statement, version) in versions {
        if let Some(version) = version {
            let predicate = Predicate::Equals(version.as_str().into());
            wanted.push(Expect::JsonPath(Box::new(jsonpath::parse(path)?), predicate));
            asks.push((fact.to_owned(), statement.to_owned()));
        }
    }
    if let Some(query) = &own.query {
        if query.trim().is_empty() || query.contains('\0') {
            return Err(
                "query is empty or has a NUL in it; write it like SELECT count(*) FROM orders"
                    .into(),
            );
        }
        asks.push(("rows".to_owned(), query.clone()));
    }
    Ok((asks, wanted))
}

impl Probe for Postgres {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn target(&self) -> String {
        let place = tcp::show(&self.question.host, self.question.port);
        match &self.question.login {
            Some(login) => format!("{place}/{}", login.database),
            None => place,
        }
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        ask(&self.question, attempt.timeout).map_or_else(Observation::Failed, Observation::Reply)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        std::iter::once(Expect::Ready).chain(self.wanted.iter().cloned()).collect()
    }

    fn warning(&self) -> Option<String> {
        self.insecure.then(|| trust::INSECURE.into())
    }
}
