//! Workflows are data: statuses, and rows that say who may move an order where, and what comes of it.
//! May use: roles and the permission table. Never happens here: a decision about an order (see
//! `order`), or a definition that [`check()`] has faults with being followed.
//!
//! A [`Definition`] is read from TOML by [`parse`] and examined by [`check()`]; five of them ship with
//! the product ([`builtin()`]), and people save theirs: [`revise`] says what that does. [`mermaid`] draws one for
//! people.

mod builtin;
mod check;
mod definition;
mod diagram;
mod edit;
mod revise;
mod rules;
mod transition;
mod vocabulary;

pub use builtin::{SOURCES, builtin};
pub use check::{Fault, MAX_BYTES, MAX_STATUSES, MAX_TRANSITIONS, check, parse, parse_draft};
pub use definition::{Definition, Expires, Status};
pub use diagram::mermaid;
pub use edit::{add_status, retire_status};
pub use revise::{Change, Draft, MAX_VERSIONS, Numbers, Revised, revise};
pub use rules::changed_rules;
pub use transition::{Origin, Target, Transition};
pub use vocabulary::{Bulk, Category, Effect, Guard, Moves, Need};
