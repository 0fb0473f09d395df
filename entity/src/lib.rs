//! The rows: what each table holds, as SeaORM models, one file per table.
//! May use sea_orm alone; only the store uses it, and translates to and from the domain.
//! Never a rule, a default or a hook: codes stay text here, and the tables are made by `migration`.

pub mod attempt;
pub mod credential;
pub mod event;
pub mod idempotency;
pub mod invitation;
pub mod invoice;
pub mod job;
pub mod membership;
pub mod note;
pub mod order;
pub mod order_item;
pub mod organization;
pub mod payment;
pub mod product;
pub mod provisioning_input;
pub mod refund;
pub mod resource;
pub mod schedule;
pub mod service_token;
pub mod session;
pub mod setting;
pub mod task;
pub mod user;
pub mod workflow;
