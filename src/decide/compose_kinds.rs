//! What becomes of the services of a Compose file: a guess from what is written about them, with
//! the reason, so that a person can see where it is wrong.

/// What becomes of a service when a release takes the place of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It may run twice: one for each slot, where there are slots.
    Switched,
    /// It is restarted in place.
    Restarted,
    /// It is none of the release: it is started once and left alone.
    Shared,
}

/// What sends requests to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
    /// Another one.
    Other,
}

/// What is written about a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its image, with its variables.
    pub image: Option<String>,
    /// Whether it is built.
    pub is_built: bool,
    /// The ports that it publishes: on the machine, when that is told, and in the container.
    pub ports: Vec<(Option<u16>, u16)>,
    /// The ports that it has for the other containers.
    pub exposes: Vec<u16>,
    /// The named volumes that it uses.
    pub volumes: Vec<String>,
    /// What its health check asks: an address, as it is written.
    pub health: Option<String>,
    /// Whether it has the machine's own network.
    pub is_on_host: bool,
    /// Whether others wait until it has ended.
    pub is_job: bool,
}

/// A guess, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// What becomes of it.
    pub kind: Kind,
    /// Why, in a few words.
    pub why: String,
    /// Whether it sends requests to others.
    pub proxy: Option<Proxy>,
}

/// Images that keep data, or hand it on.
const DATA: [&str; 44] = [
    "postgres",
    "postgresql",
    "postgis",
    "timescaledb",
    "timescaledb-ha",
    "pgvector",
    "pgbouncer",
    "mysql",
    "mysql-server",
    "mariadb",
    "percona",
    "redis",
    "redis-stack",
    "redis-stack-server",
    "valkey",
    "keydb",
    "dragonfly",
    "memcached",
    "mongo",
    "mongodb",
    "rabbitmq",
    "kafka",
    "cp-kafka",
    "cp-zookeeper",
    "redpanda",
    "zookeeper",
    "pulsar",
    "elasticsearch",
    "opensearch",
    "solr",
    "meilisearch",
    "typesense",
    "minio",
    "nats",
    "clickhouse",
    "clickhouse-server",
    "vault",
    "consul",
    "etcd",
    "cassandra",
    "influxdb",
    "couchdb",
    "neo4j",
    "qdrant",
];
/// Names that people give to services that keep data.
const DATA_NAMES: [&str; 6] = ["db", "database", "cache", "broker", "storage", "search"];
/// Images that send requests to others.
const PROXIES: [(&str, Proxy); 9] = [
    ("nginx", Proxy::Nginx),
    ("nginx-unprivileged", Proxy::Nginx),
    ("haproxy", Proxy::Haproxy),
    ("traefik", Proxy::Other),
    ("caddy", Proxy::Other),
    ("envoy", Proxy::Other),
    ("swag", Proxy::Other),
    ("nginx-proxy", Proxy::Other),
    ("nginx-proxy-manager", Proxy::Other),
];
/// Images of others that people run beside their own.
const TOOLS: [&str; 25] = [
    "adminer",
    "mailhog",
    "mailpit",
    "pgadmin4",
    "phpmyadmin",
    "mongo-express",
    "redis-commander",
    "prometheus",
    "grafana",
    "loki",
    "promtail",
    "tempo",
    "alertmanager",
    "node-exporter",
    "cadvisor",
    "jaeger",
    "all-in-one",
    "opentelemetry-collector",
    "opentelemetry-collector-contrib",
    "watchtower",
    "portainer",
    "portainer-ce",
    "keycloak",
    "localstack",
    "autoheal",
];
/// Parts of names of services that take work from a queue or do it by the clock.
const WORKERS: [&str; 14] = [
    "worker",
    "workers",
    "scheduler",
    "beat",
    "cron",
    "consumer",
    "celery",
    "sidekiq",
    "queue",
    "jobs",
    "job",
    "migrate",
    "migrations",
    "daemon",
];

impl Service {
    /// Guesses what becomes of it; `behind` says that something in the file sends requests to others.
    pub fn guess(&self, behind: bool) -> Guess {
        let guess = |kind, why: String| Guess { kind, why, proxy: None };
        if let Some(proxy) = self.proxy() {
            let why = "sends requests to the others".to_owned();
            return Guess { kind: Kind::Shared, why, proxy: Some(proxy) };
        }
        if let Some(what) = self.keeps() {
            return guess(Kind::Shared, format!("{what} has data or messages"));
        }
        if DATA.contains(&self.name.as_str()) || DATA_NAMES.contains(&self.name.as_str()) {
            return guess(Kind::Shared, "has data, by its name".into());
        }
        if !self.is_own() {
            return guess(
                Kind::Shared,
                match self.volumes.first() {
                    Some(volume) => format!("the same in every release, with data in {volume}"),
                    None => "the same in every release".into(),
                },
            );
        }
        if self.is_job {
            return guess(Kind::Restarted, "runs to its end before the others start".into());
        }
        if let Some(word) = self.worker() {
            return guess(Kind::Restarted, format!("`{word}` in its name: must not run twice"));
        }
        if !self.ports.is_empty() {
            let ports: Vec<String> = self.ports.iter().map(|(_, port)| port.to_string()).collect();
            return guess(Kind::Switched, format!("answers requests on {}", ports.join(", ")));
        }
        if behind && (!self.exposes.is_empty() || self.health.is_some()) {
            return guess(Kind::Switched, "answers requests of other containers".into());
        }
        guess(
            Kind::Restarted,
            "publishes no port, so it may do work that must not be done twice".into(),
        )
    }

    /// What it sends requests to others with, if it does.
    pub fn proxy(&self) -> Option<Proxy> {
        let known = |name: &str| PROXIES.iter().find(|(image, _)| *image == name).map(|(_, p)| *p);
        match self.is_built {
            true => known(&self.name).or((self.name == "proxy").then_some(Proxy::Other)),
            false => self.image_name().and_then(known),
        }
    }

    /// Whether its image may be one of the release: it is built, it depends on a variable, or it is
    /// in somebody's own repository and no known tool.
    fn is_own(&self) -> bool {
        if self.is_built {
            return true;
        }
        let Some(image) = &self.image else { return false };
        let name = self.image_name().unwrap_or_default();
        let is_tool = TOOLS.contains(&name) || name.ends_with("-exporter");
        let keeps = !self.volumes.is_empty() && !image.contains('$') && self.ports.is_empty();
        !is_tool && !keeps && (image.contains('$') || image.contains('/'))
    }

    /// The last part of the image's name, without its tag. What a variable says is not known.
    fn image_name(&self) -> Option<&str> {
        let image = self.image.as_deref()?;
        let (mut depth, mut start) = (0_usize, 0);
        for (at, c) in image.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                '/' if depth == 0 => start = at + 1,
                _ => {}
            }
        }
        let name = &image[start..];
        name.split([':', '@', '$']).next().filter(|name| !name.is_empty())
    }

    /// The image that keeps data, if it has one.
    fn keeps(&self) -> Option<&str> {
        let image = self.image.as_deref().filter(|_| !self.is_built)?;
        if image.contains("/mssql/") {
            return Some("mssql");
        }
        self.image_name().filter(|name| DATA.contains(name))
    }

    fn worker(&self) -> Option<&'static str> {
        let mut words = self.name.split(['-', '_', '.']);
        words.find_map(|word| WORKERS.iter().find(|known| **known == word).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, image: &str) -> Service {
        let image = Some(image.to_owned()).filter(|image| !image.is_empty());
        Service { name: name.into(), is_built: image.is_none(), image, ..Service::default() }
    }

    fn publishing(name: &str, image: &str) -> Service {
        Service { ports: vec![(Some(80), 8080)], ..named(name, image) }
    }

    #[test]
    fn a_service_is_what_its_image_its_ports_and_its_name_say() {
        use Kind::{Restarted, Shared, Switched};
        for (service, kind) in [
            (named("store", "postgres:16"), Shared),
            (named("store", "bitnami/postgresql:${PG}"), Shared),
            (named("bus", "confluentinc/cp-kafka:7.5.0"), Shared),
            (publishing("sql", "mcr.microsoft.com/mssql/server:2022-latest"), Shared),
            (named("db", ""), Shared),
            (named("mail", "axllent/mailpit:latest"), Shared),
            (named("stats", "prom/node-exporter:v1"), Shared),
            (publishing("ui", "python:3.12"), Shared),
            (publishing("web", "ghcr.io/acme/web:1.4.0"), Switched),
            (publishing("web", "web:${TAG}"), Switched),
            (publishing("web", ""), Switched),
            (named("kafka-consumer", "ghcr.io/acme/kafka-consumer:1"), Restarted),
            (publishing("celery-beat", "ghcr.io/acme/shop:${TAG}"), Restarted),
            (named("thing", ""), Restarted),
            (publishing("web", "${REGISTRY:-a.b/c}/web:${TAG}"), Switched),
            (publishing("web", "${IMAGE}"), Switched),
            (publishing("store", "${REGISTRY}/redis:7"), Shared),
            (publishing("front", "nginx:1.27-alpine"), Shared),
            (named("proxy", ""), Shared),
        ] {
            let guess = service.guess(false);
            assert_eq!(guess.kind, kind, "{service:?} {guess:?}");
        }
    }

    #[test]
    fn what_others_send_requests_to_is_switched_without_a_port_of_its_own() {
        let app = Service { exposes: vec![8000], ..named("app", "") };
        assert_eq!(app.guess(true).kind, Kind::Switched);
        assert_eq!(app.guess(false).kind, Kind::Restarted);
        let job = Service { is_job: true, ..publishing("setup", "") };
        assert_eq!(job.guess(true).kind, Kind::Restarted);
    }

    #[test]
    fn a_proxy_is_known_by_its_image_or_by_the_name_of_what_is_built() {
        assert_eq!(named("edge", "nginx").proxy(), Some(Proxy::Nginx));
        assert_eq!(named("edge", "docker.io/library/haproxy:3").proxy(), Some(Proxy::Haproxy));
        assert_eq!(named("nginx", "").proxy(), Some(Proxy::Nginx));
        assert_eq!(named("nginx", "acme/shop:1").proxy(), None);
    }

    #[test]
    fn somebodys_image_with_data_and_no_port_is_none_of_the_release() {
        let keeps = Service { volumes: vec!["files".into()], ..named("store", "acme/store:2") };
        assert_eq!(keeps.guess(true).kind, Kind::Shared);
    }
}
