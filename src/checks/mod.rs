//! One file per kind of check, the table of kinds, and the runner that schedules them.
