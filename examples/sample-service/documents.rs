//! The documents that the service answers with.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::faults::{Fault, Faults};
use crate::http::Response;

pub(crate) fn home(version: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><title>Sample service</title></head>\n\
         <body><h1>Sample service</h1><p>Version {version}</p></body>\n</html>\n"
    );
    Response::new(200, "text/html; charset=utf-8", page)
}

pub(crate) fn not_found() -> Response {
    let page = "<!doctype html>\n<title>Not found</title>\n<h1>There is no such page</h1>\n";
    Response::new(404, "text/html; charset=utf-8", page)
}

/// Liveness: the process answers.
pub(crate) fn alive(version: &str, faults: &Faults) -> Response {
    let (status, word) =
        if faults.has(Fault::NotReady) { (503, "starting") } else { (200, "alive") };
    Response::json(status, format!("{{\"status\":\"{word}\",\"version\":\"{version}\"}}\n"))
}

/// Readiness: infrastructure only.
pub(crate) fn ready(faults: &Faults) -> Response {
    let database = service_word(faults.has(Fault::CriticalDown));
    let ready = !faults.has(Fault::CriticalDown) && !faults.has(Fault::NotReady);
    Response::json(
        if ready { 200 } else { 503 },
        format!(
            "{{\"ready\":{ready},\"checks\":{{\
             \"database\":{{\"status\":\"{database}\",\"latency_ms\":2.5}},\
             \"redis\":{{\"status\":\"healthy\",\"latency_ms\":1.2}}}}}}\n"
        ),
    )
}

/// Everything: services, circuit breakers and workers.
pub(crate) fn full(version: &str, faults: &Faults) -> Response {
    let critical = faults.has(Fault::CriticalDown);
    let degraded = faults.has(Fault::Degraded);
    let open = faults.has(Fault::CircuitOpen);
    let word = match (critical, degraded || open) {
        (true, _) => "unhealthy",
        (false, true) => "degraded",
        (false, false) => "healthy",
    };
    let message = if critical { "connection refused" } else { "Database operational" };
    let (circuit, opened) = if open { ("open", 1) } else { ("closed", 0) };
    Response::json(
        if critical { 503 } else { 200 },
        format!(
            "{{\"status\":\"{word}\",\"version\":\"{version}\",\"ready\":{ready},\
             \"postgres\":{{\"status\":\"{postgres}\",\"message\":\"{message}\"}},\
             \"redis\":{{\"status\":\"healthy\",\"message\":\"Redis connected\"}},\
             \"ai_services\":[\
             {{\"name\":\"rtdetr\",\"status\":\"healthy\",\"response_time_ms\":45.2,\
             \"circuit_state\":\"{circuit}\"}},\
             {{\"name\":\"captioner\",\"status\":\"{captioner}\",\"response_time_ms\":61.0,\
             \"circuit_state\":\"closed\"}}],\
             \"circuit_breakers\":{{\"total\":5,\"open\":{opened},\"half_open\":0,\
             \"closed\":{closed}}},\
             \"workers\":[{{\"name\":\"file_watcher\",\"running\":true,\"critical\":true}},\
             {{\"name\":\"thumbnailer\",\"running\":{worker},\"critical\":false}}]}}\n",
            ready = !critical && !faults.has(Fault::NotReady),
            postgres = service_word(critical),
            captioner = service_word(degraded),
            closed = 5 - opened,
            worker = !degraded,
        ),
    )
}

/// What can be asked, as OpenAPI describes it.
pub(crate) fn description(version: &str) -> Response {
    Response::json(200, include_str!("openapi.json").replacen("VERSION", version, 1))
}

/// Spring's document.
pub(crate) fn actuator(faults: &Faults) -> Response {
    match faults.has(Fault::CriticalDown) || faults.has(Fault::NotReady) {
        true => Response::json(503, "{\"status\":\"DOWN\"}\n"),
        false => Response::json(200, "{\"status\":\"UP\"}\n"),
    }
}

fn service_word(down: bool) -> &'static str {
    if down { "unhealthy" } else { "healthy" }
}

/// Upper bounds of the latency histogram, in seconds.
const BOUNDS: [f64; 6] = [0.005, 0.025, 0.1, 0.5, 1.0, 2.5];

/// Counters since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: BTreeMap<u16, u64>,
    buckets: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    pub(crate) fn record(&mut self, status: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        *self.requests.entry(status).or_default() += 1;
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
        self.count += 1;
        self.seconds += seconds;
    }

    /// In Prometheus' text format.
    pub(crate) fn page(&self, version: &str) -> Response {
        let mut text = format!(
            "# HELP service_info What runs.\n# TYPE service_info gauge\n\
             service_info{{version=\"{version}\"}} 1\n\
             # HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n"
        );
        for (status, count) in &self.requests {
            text.push_str(&format!("http_requests_total{{status=\"{status}\"}} {count}\n"));
        }
        text.push_str(
            "# HELP http_request_duration_seconds How long answers took.\n\
             # TYPE http_request_duration_seconds histogram\n",
        );
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS) {
            text.push_str(&format!(
                "http_request_duration_seconds_bucket{{le=\"{bound}\"}} {bucket}\n"
            ));
        }
        text.push_str(&format!(
            "http_request_duration_seconds_bucket{{le=\"+Inf\"}} {0}\n\
             http_request_duration_seconds_sum {1}\nhttp_request_duration_seconds_count {0}\n",
            self.count, self.seconds
        ));
        Response::new(200, "text/plain; version=0.0.4; charset=utf-8", text)
    }
}
