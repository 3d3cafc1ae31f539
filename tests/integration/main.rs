//! Everything that is tested from the outside: one binary, so that it links once.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests set up a real world, and stop where it is not as they need it"
)]

mod act;
mod actions;
mod archive;
mod bad_input;
mod blue_green_examples;
mod booted;
mod bootstrap;
mod bootstrap_hostile;
mod bootstrap_release;
mod bootstrap_windows;
mod bootstrap_world;
mod capture;
mod compose;
mod compose_callers;
mod compose_crashes;
mod compose_failures;
mod compose_rounds;
mod compose_slots;
mod compose_world;
mod containers;
mod crash_callers;
mod crash_commands;
mod crash_disk;
mod crash_kills;
mod crash_matrix;
mod crash_recovery;
mod crash_router;
mod crash_scripts;
mod crash_world;
mod deploy;
mod deploy_edges;
mod deploy_refusals;
mod deploy_strays;
mod deploy_ways;
mod deploy_world;
mod elsewhere;
mod engines;
mod engines_parts;
mod evaluate_rollback;
mod fleet;
mod fleet_callers;
mod github;
mod github_ledger;
mod harness;
mod hostile;
mod house;
mod image_merge;
mod image_scans;
mod image_signatures;
mod image_world;
mod images;
mod init;
mod jsonpath;
mod kept;
mod kept_slots;
mod large;
mod load;
mod lock;
mod manager;
mod notify;
mod oci;
mod one_machine_guide;
mod outside;
mod parts;
mod pipeline;
mod pipeline_rights;
mod podman_guide;
mod preflight;
mod preflight_compose;
mod preflight_registry;
mod preflight_signed;
mod proxy;
mod readme;
mod registry;
mod release;
mod release_ci;
mod resumed;
mod safeguard;
mod scenarios;
mod shared_images;
mod smoke_test;
mod ssh;
mod ssh_refusals;
mod ssh_sides;
mod ssh_world;
mod sshd;
mod sshd_parts;
mod status;
mod systemd;
mod systemd_guide;
mod systemd_releases;
mod systemd_system;
mod systemd_world;
mod take_back;
mod tls;
mod wait_healthy;
mod watched;
mod workflows;
