//! The ledger in GitHub deployments.
