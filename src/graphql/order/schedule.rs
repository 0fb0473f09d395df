//! Actions that are taken later: scheduled, called off, and what events tell of them.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use domain::{
    event::Detail,
    order::{Plan, Schedule},
    role::RoleSet,
};

use super::{
    Order, OrderError,
    change::{Answer, act, input, payload},
    event::{OrderEvent, readable},
    store,
};
use crate::{
    graphql::{
        failure::{Failure, Result},
        paging::parse_id,
        people::User,
        scalar::DateTime,
        workflow::OrderStatus,
    },
    usecase::order::{Intent, Terms},
};

/// An action that waits for its time. It is taken with the rights that its maker has then.
#[derive(Clone, Debug)]
pub struct OrderSchedule {
    schedule: Schedule,
    order: Order,
}

impl OrderSchedule {
    /// A schedule of this order.
    pub fn new(schedule: Schedule, order: Order) -> OrderSchedule {
        OrderSchedule { schedule, order }
    }
}

/// An action that waits for its time. It is taken with the rights that its maker has then.
#[Object]
impl OrderSchedule {
    /// Its id.
    async fn id(&self) -> ID {
        self.schedule.id.to_string().into()
    }

    /// The workflow's action.
    async fn action(&self) -> &str {
        &self.schedule.plan.action
    }

    /// When it is taken.
    async fn at(&self) -> DateTime {
        DateTime(self.schedule.plan.at)
    }

    /// Why.
    async fn reason(&self) -> Option<&str> {
        self.schedule.plan.reason.as_deref()
    }

    /// The status to go to, where the action leaves that to the caller.
    async fn to(&self, ctx: &Context<'_>) -> Option<Result<OrderStatus>> {
        let code = self.schedule.plan.to.as_deref()?;
        let workflow = self.order.workflow(ctx).await;
        Some(workflow.map(|workflow| OrderStatus::of(&workflow, code, self.order.internal())))
    }

    /// Who wants it.
    async fn made_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let found = async {
            let makers = self.order.batch.makers(store(ctx)).await?;
            Ok::<_, Failure>(makers.get(store(ctx), self.schedule.made_by).await?.map(User::from))
        };
        found.await.transpose()
    }

    /// Since when.
    async fn made_at(&self) -> DateTime {
        DateTime(self.schedule.made_at)
    }
}

/// The schedule that an event is about.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderEventSchedule {
    /// Its id.
    id: ID,
    /// The workflow's action.
    action: String,
    /// When it was to be taken.
    at: DateTime,
    /// Why it was not possible then: the code of the refusal, NOT_FOUND where its maker is gone.
    refused: Option<String>,
}

impl OrderEventSchedule {
    /// What an event tells of a schedule, to whoever may know of it.
    pub fn of(detail: &Detail, standing: RoleSet) -> Option<OrderEventSchedule> {
        let Detail::Schedule { id, action, scheduled_at, audience, refused } = detail else { return None };
        readable(*audience, standing).then(|| OrderEventSchedule {
            id: id.to_string().into(),
            action: action.clone(),
            at: DateTime(*scheduled_at),
            refused: refused.clone(),
        })
    }
}

input!("Has an action taken later, with the rights that the caller has then.", OrderScheduleInput {
    /// The workflow's action.
    action: String,
    /// When: ahead, and at most five years.
    at: DateTime,
    /// Why; needed where the action needs it.
    reason: Option<String>,
    /// The status to go to, for actions that let the caller choose.
    to: Option<String>,
});
payload!("Has an action taken later, with the rights that the caller has then.", OrderSchedulePayload);

input!(
    "Calls a scheduled action off.",
    OrderUnscheduleInput {
        /// The schedule's id.
        schedule: ID,
    }
);
payload!("Calls a scheduled action off.", OrderUnschedulePayload);

/// What is to be done to orders later.
#[derive(Debug, Default)]
pub struct ScheduleMutation;

#[Object]
impl ScheduleMutation {
    /// Has an action taken later, with the rights that the caller has then. What is not possible then lapses, and
    /// the timeline says so. At most 20 wait on one order.
    async fn order_schedule(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderScheduleInput,
    ) -> Result<OrderSchedulePayload> {
        let terms = input.terms();
        let OrderScheduleInput { order, action, at, reason, to, .. } = input;
        let intent = Intent::Schedule(Plan { action, at: at.0, reason, to });
        Ok(act(ctx, "order_schedule", &order, intent, terms).await?.into())
    }

    /// Calls a scheduled action off: its maker may, and those who look after the order for the operator.
    async fn order_unschedule(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderUnscheduleInput,
    ) -> Result<OrderUnschedulePayload> {
        let schedule = parse_id(&input.schedule, "input.schedule")?;
        let intent = Intent::Unschedule { schedule };
        Ok(act(ctx, "order_unschedule", &input.order, intent, input.terms()).await?.into())
    }
}
