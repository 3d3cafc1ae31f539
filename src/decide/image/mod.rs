//! What is known of images without asking anybody: how they are named, what a registry's answers
//! mean, whose login is for which registry.

pub mod challenge;
pub mod logins;
pub mod manifest;
pub mod reference;
