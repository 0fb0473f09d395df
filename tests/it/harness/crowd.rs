//! Many orders at once, all different: what lists are tried on.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::{
    actor::{Actor, Membership},
    id::UserId,
    mint::Mint,
    order::{Admission, Draft, DraftLine, Facts, Head, Particulars, Setting, admit},
    role::Role,
    workflow::Definition,
};
use ordo::{
    app::World,
    store::{catalogue, people::User},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, TransactionTrait};

use super::{Account, App, Goods};

impl App {
    /// Admits so many orders in one transaction, spread over products, statuses, parties and time with
    /// many ties, some of them deleted; the heads as the database holds them.
    pub async fn crowd(&self, seed: u64, count: usize) -> Vec<Head> {
        let mut rng = StdRng::seed_from_u64(seed);
        let (app, drawn) = (self.inner.clone(), self.draws(&mut rng, count));
        let start = self.world.now() - TimeDelta::days(30);
        let mut heads = self
            .inner
            .store
            .write(async move |tx| {
                let ids: Vec<_> =
                    drawn.iter().flat_map(|draw| &draw.draft.lines).map(|l| l.product).collect();
                let products = catalogue::products(&*tx, &ids).await?;
                let facts = Facts { products, today: start.date_naive(), expiry_enabled: false };
                let mut decisions = Vec::new();
                for Draw { workflow, draft, status, moment } in drawn {
                    let at = start + TimeDelta::milliseconds(1_500 * moment);
                    let mut mint = Mint::new(at, app.world.seed());
                    let setting = Setting { workflow: &workflow, actor: &Actor::System, facts: &facts };
                    let admission = Admission { draft, status, paid: 0 };
                    decisions.push(admit(setting, &admission, &mut mint)?);
                }
                ordo::store::save(&tx, &decisions).await?;
                Ok(decisions.iter().map(|decision| decision.after().head.clone()).collect::<Vec<_>>())
            })
            .await
            .expect("the crowd is admitted");
        self.scatter(&mut rng, &mut heads).await;
        heads
    }

    /// What a crowd orders.
    fn draws(&self, rng: &mut StdRng, count: usize) -> Vec<Draw> {
        let company = &self.company;
        let goods = [
            [&company.server, &company.trial],
            [&company.webspace, &company.webspace],
            [&company.allocation, &company.instant],
            [&company.parcel, &company.parcel],
            [&company.pallet, &company.pallet],
            [&company.dollar_server, &company.dollar_server],
            [&company.rival_server, &company.rival_server],
        ];
        let line = |goods: &Goods, quantity| DraftLine {
            product: goods.id,
            quantity,
            configuration: None,
            discount: None,
            resource: None,
        };
        (0..count)
            .map(|_| {
                let [first, second] = *goods.choose(rng).expect("goods");
                let workflow = self.inner.book.newest(first.workflow).expect("a workflow").clone();
                let status = workflow.statuses.choose(rng).expect("a status").code.clone();
                let mut lines = vec![line(first, rng.random_range(1..4))];
                if rng.random_bool(0.3) {
                    lines.push(line(second, 1));
                }
                let customer = match rng.random_bool(0.7) {
                    true => company.customer,
                    false => company.other_customer,
                };
                let draft = Draft {
                    customer,
                    kind: None,
                    lines,
                    delivery_fee: None,
                    agent: None,
                    external_reference: None,
                    expires_on: None,
                    tags: Vec::new(),
                    particulars: Particulars::default(),
                };
                Draw { workflow, draft, status, moment: rng.random_range(0..count as i64) }
            })
            .collect()
    }

    /// What an import cannot say: who placed an order, who cares for it, when it moved or was deleted.
    async fn scatter(&self, rng: &mut StdRng, heads: &mut [Head]) {
        let company = &self.company;
        let db = sea_orm::Database::connect(&self.database_url).await.expect("a second connection");
        let tx = db.begin().await.expect("a transaction");
        let pick = |rng: &mut StdRng, from: &[Account]| {
            from.get(rng.random_range(0..=from.len())).map(|account| account.id)
        };
        for head in heads {
            head.parties.creator = pick(rng, &[company.consumer, company.stranger, company.approver]);
            head.parties.csr = pick(rng, &[company.csr, company.staff]);
            head.parties.agent = pick(rng, &[company.agent, company.admin]);
            // Whole and broken seconds, so that a database which compares text is found out.
            head.status_changed_at = head.created_at + TimeDelta::milliseconds(500 * rng.random_range(0..40));
            head.deleted_at = rng.random_bool(0.1).then_some(head.status_changed_at);
            let row = entity::order::ActiveModel {
                id: Set(head.id.0),
                creator_id: Set(head.parties.creator.map(|id| id.0)),
                csr_id: Set(head.parties.csr.map(|id| id.0)),
                agent_id: Set(head.parties.agent.map(|id| id.0)),
                status_changed_at: Set(head.status_changed_at),
                deleted_at: Set(head.deleted_at),
                listed: Set(head.listed()),
                ..Default::default()
            };
            row.update(&tx).await.expect("an order is scattered");
        }
        tx.commit().await.expect("committed");
        db.close().await.expect("closed");
    }

    /// A new account with these memberships.
    pub async fn enrol(&self, name: &'static str, memberships: Vec<Membership>) -> Account {
        let mut mint = self.world.mint();
        let role = memberships.first().map_or(Role::Consumer, |membership| membership.role);
        let user = User { id: mint.id(), email: format!("{name}@example.test"), name: name.to_owned() };
        let id: UserId = user.id;
        let enrolled = self.inner.store.write(async move |tx| {
            tx.insert_user(&user, mint.now()).await?;
            for membership in &memberships {
                tx.insert_membership(mint.id(), user.id, membership, mint.now()).await?;
            }
            Ok(())
        });
        enrolled.await.expect("an account");
        Account { id, role }
    }
}

struct Draw {
    workflow: Arc<Definition>,
    draft: Draft,
    status: String,
    moment: i64,
}
