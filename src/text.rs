//! Text for people: escaped, counted, measured, and quoted for a shell.

pub mod host;
pub mod style;
pub mod words;

mod escape;
mod excerpt;
mod layout;
mod nearest;
mod shell;
mod slug;

pub(crate) use self::slug::slug;
pub use self::{
    escape::{escape, is_harmful, is_plain},
    excerpt::{excerpt, one_line},
    layout::{columns, is_url, prefix, shorten, wrap},
    nearest::nearest,
    shell::{Shell, quote, wrap_command},
};
