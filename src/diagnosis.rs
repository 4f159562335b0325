//! From traces to verdicts, causes and findings.

pub mod cause;
