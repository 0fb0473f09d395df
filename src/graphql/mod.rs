//! The schema: an edge that translates between GraphQL and use cases, one file per noun.
//! It may use use cases, the store's reads (with the viewer's grants), and the bus for subscriptions.
//! What never happens here: SQL, transactions, rules, a query per row.

mod account;
mod at_hand;
mod expected;
mod failure;
mod job;
mod job_migrate;
mod job_progress;
mod node;
mod order;
pub(crate) mod paging;
mod people;
mod product;
mod scalar;
mod settings;
mod siblings;
mod viewer;
mod workflow;
mod workflow_refused;
mod workflow_save;

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions};

pub use failure::{Failure, Result};
pub use order::{ClientIp, Opened, Opening, ResumeAfter, Stage};
pub use viewer::Session;

use crate::{app::App, usecase::session::Signer};

/// Everything that can be read.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    viewer::ViewerQuery,
    node::NodeQuery,
    order::OrderQuery,
    order::ResourceQuery,
    product::ProductQuery,
    people::OrganizationQuery,
    people::AccountQuery,
    people::InvitationQuery,
    people::RightsQuery,
    workflow::WorkflowQuery,
    settings::SettingsQuery,
    account::ServiceTokenQuery,
    job::JobQuery,
);

/// Everything that can be changed.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    order::PlaceMutation,
    order::ActionMutation,
    order::DeskMutation,
    order::EditMutation,
    order::RemovalMutation,
    order::AttemptMutation,
    order::ScheduleMutation,
    settings::SettingsMutation,
    order::LineMutation,
    account::SessionMutation,
    account::PasswordMutation,
    account::ServiceTokenMutation,
    account::TicketMutation,
    workflow_save::WorkflowMutation,
    people::OrganizationMutation,
    people::AccountMutation,
    people::MembershipMutation,
    people::InvitationMutation,
    job::JobMutation,
    job_migrate::MigrateMutation,
);

/// Everything that can be watched.
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(order::OrderSubscription, order::CountSubscription, job_progress::JobSubscription);

/// The executable schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// The deepest nesting of fields that is executed; introspection needs 15.
const MAX_DEPTH: usize = 20;
/// The most that one operation may ask for: each field counts one, lists count per element.
const MAX_COMPLEXITY: usize = 200_000;
/// The most aliases in one document.
const MAX_ALIASES: usize = 100;
/// The most directives on one field.
const MAX_DIRECTIVES: usize = 10;

/// The schema over a running application, with whoever signs the tokens of those who log in.
pub fn schema(app: App, signer: Arc<dyn Signer>) -> Schema {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .register_output_type::<node::Node>()
        .register_output_type::<order::OrderError>()
        .register_output_type::<account::AccountError>()
        .register_output_type::<workflow_refused::WorkflowError>()
        .register_output_type::<job::JobError>()
        .limit_depth(MAX_DEPTH)
        .limit_complexity(MAX_COMPLEXITY)
        .limit_aliases(MAX_ALIASES)
        .limit_directives(MAX_DIRECTIVES)
        .data(app.keys.cursors())
        .data(signer)
        .data(app)
        .finish()
}

/// The schema as text, in an order that does not depend on the code's.
pub fn sdl() -> String {
    let schema = Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .register_output_type::<node::Node>()
        .register_output_type::<order::OrderError>()
        .register_output_type::<account::AccountError>()
        .register_output_type::<workflow_refused::WorkflowError>()
        .register_output_type::<job::JobError>()
        .finish();
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    schema.sdl_with_options(options)
}
