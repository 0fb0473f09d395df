//! Orders that stand where a test wants them: placed by the customer's consumer and brought there along
//! their workflow, many in one transaction.

use std::collections::HashMap;

use domain::{
    actor::Actor,
    id::OrderId,
    money::Money,
    order::{
        Assignee, Command, Draft, DraftLine, ErrorCategory, Facts, Failure, Particulars, PaymentMethod,
        Setting, Transition, decide, place,
    },
    role::Role,
};
use ordo::{store::catalogue, usecase::session};

use super::{Account, App, Goods};

/// An order that a test wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of this product.
    pub goods: Goods,
    /// In this status.
    pub status: String,
    /// Given to the company's csr and agent; else to nobody.
    pub attended: bool,
    /// With a payment of so many minor units.
    pub paid: i64,
    /// Deleted afterwards.
    pub deleted: bool,
}

impl Wanted {
    /// An order in a status, attended and unpaid.
    pub fn new(goods: &Goods, status: &str) -> Wanted {
        Wanted { goods: goods.clone(), status: status.to_owned(), attended: true, paid: 0, deleted: false }
    }
}

/// The actions that lead into a status.
fn path(goods: &Goods, status: &str) -> &'static [&'static str] {
    match (goods.workflow, status) {
        ("cloud", "draft")
        | ("hosting" | "delivery", "pending")
        | ("marketplace", "pending_consumer")
        | ("commerce", "open") => &[],
        ("cloud", "pending_payment") => &["submit"],
        ("cloud", "payment_confirmed") => &["submit", "confirm_payment"],
        ("cloud", "validating") => &["submit", "confirm_payment", "validate"],
        ("cloud", "provisioning") => &["submit", "confirm_payment", "validate", "provision"],
        ("cloud", "fulfilled") => &["submit", "confirm_payment", "validate", "provision", "fulfill"],
        ("cloud", "failed") => &["submit", "confirm_payment", "validate", "provision", "fail"],
        ("cloud" | "hosting" | "delivery" | "commerce", "cancelled") | ("marketplace", "canceled") => {
            &["cancel"]
        }
        ("hosting", "active") => &["accept"],
        ("hosting", "fraud") => &["mark_fraud"],
        ("marketplace", "pending_provider") => &["approve"],
        ("marketplace", "rejected") => &["reject"],
        // What needs nobody's approval begins here.
        ("marketplace", "executing") if goods.name == "instant" => &[],
        ("marketplace", "done") if goods.name == "instant" => &["complete"],
        ("marketplace", "erred") if goods.name == "instant" => &["fail"],
        ("marketplace", "executing") => &["approve", "approve"],
        ("marketplace", "done") => &["approve", "approve", "complete"],
        ("marketplace", "erred") => &["approve", "approve", "fail"],
        ("delivery", "processing") => &["process"],
        ("delivery", "in_transit") => &["process", "dispatch"],
        ("delivery", "delivered") => &["process", "dispatch", "deliver"],
        ("delivery", "failed") => &["process", "dispatch", "fail"],
        ("commerce", "shipped") => &["ship"],
        ("commerce", "closed") => &["ship", "close"],
        ("commerce", "archived") => &["ship", "close", "archive"],
        (workflow, other) => panic!("no path to {workflow} {other}"),
    }
}

/// Who takes the steps.
#[derive(Clone)]
struct Cast {
    consumer: Actor,
    staff: Actor,
    csr: Assignee,
    agent: Assignee,
}

impl Cast {
    fn commands(&self, wanted: &Wanted) -> Vec<Command> {
        let mut commands = Vec::new();
        let actions = path(&wanted.goods, &wanted.status);
        let driven = actions.contains(&"dispatch");
        if wanted.attended {
            commands.push(Command::AssignCsr(Some(self.csr.clone())));
        }
        if wanted.attended || driven {
            commands.push(Command::AssignAgent(Some(self.agent.clone())));
        }
        if wanted.paid > 0 {
            let amount = Money::new(wanted.paid, "EUR".parse().expect("a currency"));
            let (method, reference) = (PaymentMethod::Transfer, None);
            commands.push(Command::RecordPayment { amount, method, reference });
        }
        commands.extend(actions.iter().map(|action| Command::Transition(step(&wanted.goods, action))));
        if driven && !wanted.attended {
            commands.push(Command::AssignAgent(None));
        }
        if wanted.deleted {
            commands.push(Command::Delete { reason: None });
        }
        commands
    }
}

fn step(goods: &Goods, action: &str) -> Transition {
    let failure = Failure { category: ErrorCategory::Capacity, message: "full".into(), traceback: None };
    let error = (action == "fail" && goods.workflow != "delivery").then_some(failure);
    let reason = Some("because".to_owned());
    Transition { action: action.to_owned(), reason, error, ..Transition::default() }
}

impl App {
    /// Brings orders of the customer into being, each where it is wanted; their ids.
    pub async fn stand(&self, wanted: &[Wanted]) -> Vec<String> {
        let app = self.inner.clone();
        let cast = self.cast().await;
        let wanted = wanted.to_vec();
        let customer = self.company.customer;
        let work = async move |tx: std::sync::Arc<ordo::store::Tx>| {
            let products: Vec<_> = wanted.iter().map(|wanted| wanted.goods.id).collect();
            let products = catalogue::products(&*tx, &products).await?;
            let facts = Facts { products, today: app.world.now().date_naive(), expiry_enabled: false };
            let mut placed = Vec::new();
            for wanted in &wanted {
                let workflow = app.book.newest(wanted.goods.workflow).expect("a workflow");
                let setting = Setting { workflow: &workflow, actor: &cast.consumer, facts: &facts };
                placed.push(place(setting, &draft(customer, &wanted.goods), &mut app.world.mint())?);
            }
            ordo::store::save(&tx, &placed).await?;
            let ids: Vec<OrderId> = placed.iter().map(|decision| decision.after().head.id).collect();
            let queues = wanted.iter().map(|wanted| cast.commands(wanted).into_iter());
            let mut queues: HashMap<OrderId, _> = ids.iter().copied().zip(queues).collect();
            loop {
                let steps = queues.iter_mut().filter_map(|(id, queue)| Some((*id, queue.next()?)));
                let steps: HashMap<OrderId, Command> = steps.collect();
                if steps.is_empty() {
                    break;
                }
                let turn: Vec<OrderId> = steps.keys().copied().collect();
                let mut decisions = Vec::new();
                for order in tx.orders(&Actor::System, &turn).await? {
                    let workflow = app.book.newest(&order.head.workflow).expect("a workflow");
                    let command = &steps[&order.head.id];
                    let by_itself = match command {
                        Command::Transition(Transition { action, .. }) => {
                            workflow.rows(action, &order.head.status).any(|row| row.by.has(Role::System))
                        }
                        _ => false,
                    };
                    let actor = if by_itself { &Actor::System } else { &cast.staff };
                    let setting = Setting { workflow: &workflow, actor, facts: &facts };
                    decisions.push(decide(setting, &order, command, &mut app.world.mint())?);
                }
                ordo::store::save(&tx, &decisions).await?;
            }
            for (order, wanted) in tx.orders(&Actor::System, &ids).await?.iter().zip(in_order(&ids, &wanted))
            {
                assert_eq!(order.head.status, wanted.status, "the path leads elsewhere: {wanted:?}");
            }
            Ok(ids)
        };
        let ids = self.inner.store.write(work).await.expect("the orders stand");
        self.inner.feed.ring();
        ids.iter().map(ToString::to_string).collect()
    }

    async fn cast(&self) -> Cast {
        let actor = async |account: Account| {
            session::actor(&self.inner, &ordo::usecase::session::Credentials::of(account.id, None))
                .await
                .expect("an actor")
        };
        let Account { id: csr, .. } = self.company.csr;
        let Account { id: agent, .. } = self.company.agent;
        Cast {
            consumer: actor(self.company.consumer).await,
            staff: actor(self.company.staff).await,
            csr: Assignee { user: csr, actor: actor(self.company.csr).await },
            agent: Assignee { user: agent, actor: actor(self.company.agent).await },
        }
    }
}

/// The wanted orders in the order of their ids, as the store hands them out.
fn in_order<'w>(ids: &[OrderId], wanted: &'w [Wanted]) -> impl Iterator<Item = &'w Wanted> {
    let mut pairs: Vec<_> = ids.iter().copied().zip(wanted).collect();
    pairs.sort_by_key(|(id, _)| *id);
    pairs.into_iter().map(|(_, wanted)| wanted)
}

fn draft(customer: domain::id::OrganizationId, goods: &Goods) -> Draft {
    let line =
        DraftLine { product: goods.id, quantity: 1, configuration: None, discount: None, resource: None };
    Draft {
        customer,
        kind: None,
        lines: vec![line],
        delivery_fee: None,
        agent: None,
        external_reference: None,
        expires_on: None,
        tags: Vec::new(),
        particulars: Particulars::default(),
    }
}
