//! The built-in catalog and what users lay over it.

pub mod model;
