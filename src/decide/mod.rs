//! The functional core: judgements over plain data. Nothing here reads a clock, a file, a socket
//! or the environment; time is an argument.

pub mod archive;
pub mod backoff;
pub mod capture;
mod combination;
pub mod compose_kinds;
pub mod confirmation;
pub mod containers;
pub mod expect;
mod exposition;
pub mod fleet;
pub mod health;
pub mod history;
pub mod html;
pub mod image;
pub mod incident;
pub mod incident_key;
pub mod incident_report;
pub mod incident_text;
pub mod journal;
pub mod jsonpath;
pub mod judge;
pub mod logs;
mod markup;
pub mod metric;
pub mod naming;
pub mod observation;
pub mod openapi;
pub mod part;
pub mod plan;
pub mod precedence;
pub mod predicate;
pub mod progress;
pub mod recent;
pub mod resp;
pub mod retry;
pub mod rollback;
pub mod scan;
mod seen;
pub mod source;
pub mod staleness;
pub mod state;
pub mod status_set;
pub mod strategy;
pub mod template;
pub mod transaction;
pub mod units;
pub mod verdict;
pub mod wait;
pub mod wire;
pub mod words;

#[cfg(test)]
mod worlds;
