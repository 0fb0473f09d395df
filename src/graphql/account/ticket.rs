//! Tickets for clients that can send nothing but a URL.

use async_graphql::{Context, InputObject, Json, Object, SimpleObject};
use serde_json::{Map, Value};

use super::Hidden;
use crate::{
    app::App,
    graphql::{failure::Result, scalar::DateTime, viewer::session},
    usecase::session::{Operation, Ticket},
};

/// Asks for a URL that opens one stream.
#[derive(Clone, Debug, InputObject)]
pub struct StreamTicketInput {
    /// The operation's text, as it would be sent with a token.
    pub query: String,
    /// Its name, where the text holds several.
    pub operation_name: Option<String>,
    /// Its variables.
    pub variables: Option<Json<Map<String, Value>>>,
}

/// A URL that opens one stream.
#[derive(Clone, Debug, SimpleObject)]
pub struct StreamTicketPayload {
    /// Give it to an `EventSource`. It is relative to this server, and a secret: whoever has it reads the
    /// stream.
    url: Hidden,
    /// Until when it opens: as long as the token that you asked with.
    expires_at: DateTime,
}

/// Opening streams without a header.
#[derive(Debug, Default)]
pub struct TicketMutation;

#[Object]
impl TicketMutation {
    /// A URL that opens the stream of one operation, for clients that cannot send a token: a browser's
    /// `EventSource`. It is bound to the operation and to you, and may be used again to reconnect.
    async fn stream_ticket(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which stream.")] input: StreamTicketInput,
    ) -> Result<StreamTicketPayload> {
        let session = session(ctx)?;
        let StreamTicketInput { query, operation_name, variables } = input;
        let variables = variables.map(|Json(variables)| variables).unwrap_or_default();
        let ticket = Ticket {
            credentials: session.credentials().clone(),
            expires_at: session.expires_at(),
            operation: Operation { query, operation_name, variables },
        };
        let text = ticket.seal(&ctx.data_unchecked::<App>().keys)?;
        let expires_at = DateTime(ticket.expires_at);
        Ok(StreamTicketPayload { url: Hidden(format!("/graphql?ticket={text}")), expires_at })
    }
}
