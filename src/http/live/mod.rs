//! Subscriptions: opened by executing their operation once, told by executing it again for what has happened,
//! once for all that are equal.

mod crier;
mod said;
mod subscriber;
mod template;

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{
    StreamExt,
    future::ready,
    stream::{self, BoxStream},
};
use tracing::Instrument;

use self::{
    subscriber::{Own, Subscriber},
    template::Template,
};
use super::{
    document::Prepared,
    fault::{broken, coded, first_code},
    limit::Held,
    operation::{Caller, Operations},
};
use crate::{
    graphql::{Opening, Stage},
    telemetry::{Kind, metrics, request::carried, trace},
};

pub(super) use self::{crier::Crier, said::Said};

/// Starts a subscription, which holds a place among its person's.
pub(super) async fn subscribe(
    operations: Operations,
    prepared: Prepared,
    caller: Caller,
    place: Held,
) -> BoxStream<'static, Said> {
    let span = trace::operation(Kind::Subscription, prepared.name.as_deref());
    let mut counted = metrics::Operation::begin(Kind::Subscription);
    let (template, opening) = (Arc::new(Template::of(&prepared)), Opening::default());
    let own = operations.clone();
    let admission = async move { own.admit(prepared, caller, own.app()).await };
    let (request, session) = match tokio::spawn(carried(admission)).await {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(refused)) => {
            counted.answered(Some(refused.code()));
            return once(Said::of(&refused.into_response()));
        }
        Err(_) => return once(Said::of(&broken("a session panicked"))),
    };
    let answers = operations.schema().execute_stream(request.data(Stage::Open(opening.clone())));
    let mut answers = AssertUnwindSafe(answers)
        .catch_unwind()
        .map(|answer| answer.map_or_else(|_| broken("a subscription panicked"), coded));
    let Some(first) = answers.next().instrument(span).await else {
        counted.answered(None);
        return stream::empty().boxed();
    };
    counted.answered(first_code(&first));
    let first = Said::of(&first);
    match (opening.take(), session) {
        (Some(opened), Some(session)) => {
            let own = Own::new(operations, template, session, opened.watch);
            Subscriber::new(own, opened.position, first, counted, place).boxed()
        }
        // It carries itself on.
        _ => {
            let rest = answers.map(|answer| {
                metrics::event_delivered();
                Said::of(&answer)
            });
            let all = stream::once(ready(first)).chain(rest);
            all.inspect(move |_| _ = (&place, &counted)).boxed()
        }
    }
}

/// A stream that says one thing.
pub(super) fn once(said: Said) -> BoxStream<'static, Said> {
    stream::once(ready(said)).boxed()
}
