//! The company of the tests: an operator, two providers, two customers, a product per case.

use domain::{
    actor::Membership,
    id::{OrganizationId, ProductId, UserId},
    mint::Mint,
    money::UnitPrice,
    order::{Product, ProductKind},
    role::Role,
};
use ordo::{
    app::App,
    store::{
        Tx,
        people::{Organization, OrganizationKind, User},
    },
};

/// Somebody with an account.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub id: UserId,
    pub role: Role,
}

/// A product.
#[derive(Clone, Debug)]
pub struct Goods {
    pub id: ProductId,
    pub name: &'static str,
    pub workflow: &'static str,
}

/// Who is there, and what can be ordered.
#[derive(Clone, Debug)]
pub struct Company {
    pub operator: OrganizationId,
    pub provider_org: OrganizationId,
    pub rival_org: OrganizationId,
    pub customer: OrganizationId,
    pub other_customer: OrganizationId,
    pub admin: Account,
    pub staff: Account,
    pub support: Account,
    pub csr: Account,
    pub agent: Account,
    pub provider: Account,
    pub manager: Account,
    pub worker: Account,
    pub approver: Account,
    pub consumer: Account,
    pub stranger: Account,
    pub rival: Account,
    /// cloud, 20.00 EUR and 19 % tax.
    pub server: Goods,
    /// cloud, costs nothing.
    pub trial: Goods,
    /// hosting.
    pub webspace: Goods,
    /// marketplace, BASIC, both approvals.
    pub allocation: Goods,
    /// marketplace, SLURM, provider's approval alone.
    pub cluster: Goods,
    /// marketplace, VPS, no approval at all.
    pub instant: Goods,
    /// delivery.
    pub parcel: Goods,
    /// commerce.
    pub pallet: Goods,
    /// cloud, in USD.
    pub dollar_server: Goods,
    /// cloud, of the other provider.
    pub rival_server: Goods,
}

impl Company {
    /// Every account, once.
    pub fn accounts(&self) -> [Account; 12] {
        [
            self.admin,
            self.staff,
            self.support,
            self.csr,
            self.agent,
            self.provider,
            self.manager,
            self.worker,
            self.approver,
            self.consumer,
            self.stranger,
            self.rival,
        ]
    }

    /// Writes the company into the database.
    pub async fn found(app: &App) -> Company {
        let mint = ordo::app::World::mint(&*app.world);
        app.store
            .write(async move |tx| Ok(Founding { tx: &tx, mint }.found().await))
            .await
            .expect("the company is founded")
    }
}

struct Founding<'a> {
    tx: &'a Tx,
    mint: Mint,
}

impl Founding<'_> {
    async fn found(mut self) -> Company {
        let operator = self.organization(OrganizationKind::Operator, "Operator").await;
        let provider_org = self.organization(OrganizationKind::Provider, "Nimbus").await;
        let rival_org = self.organization(OrganizationKind::Provider, "Rival").await;
        let customer = self.organization(OrganizationKind::Company, "Acme").await;
        let other_customer = self.organization(OrganizationKind::Person, "Sam Stranger").await;
        let (p, r) = (provider_org, rival_org);
        let server = self.product(p, "server", "cloud", ProductKind::Vps, 20).await;
        let trial = self.product(p, "trial", "cloud", ProductKind::Vps, 0).await;
        let webspace = self.product(p, "webspace", "hosting", ProductKind::Hosting, 5).await;
        let allocation = self.product(p, "allocation", "marketplace", ProductKind::Basic, 100).await;
        let cluster = self.product(p, "cluster", "marketplace", ProductKind::Slurm, 50).await;
        let instant = self.product(p, "instant", "marketplace", ProductKind::Vps, 9).await;
        let parcel = self.product(p, "parcel", "delivery", ProductKind::Physical, 30).await;
        let pallet = self.product(p, "pallet", "commerce", ProductKind::Physical, 300).await;
        let dollar_server = self.product(p, "dollar server", "cloud", ProductKind::Vps, 22).await;
        let rival_server = self.product(r, "rival server", "cloud", ProductKind::Vps, 18).await;
        let managed = [&server, &webspace, &allocation, &cluster, &parcel, &pallet].map(|goods| goods.id);
        Company {
            admin: self.account("admin", operator, Role::Admin, &[]).await,
            staff: self.account("staff", operator, Role::Staff, &[]).await,
            support: self.account("support", operator, Role::Support, &[]).await,
            csr: self.account("csr", operator, Role::Csr, &[]).await,
            agent: self.account("agent", operator, Role::Agent, &[]).await,
            provider: self.account("provider", p, Role::Provider, &[]).await,
            manager: self.account("manager", p, Role::Manager, &managed).await,
            worker: self.account("worker", p, Role::Worker, &[]).await,
            approver: self.account("approver", customer, Role::Approver, &[]).await,
            consumer: self.account("consumer", customer, Role::Consumer, &[]).await,
            stranger: self.account("stranger", other_customer, Role::Approver, &[]).await,
            rival: self.account("rival", r, Role::Provider, &[]).await,
            operator,
            provider_org,
            rival_org,
            customer,
            other_customer,
            server,
            trial,
            webspace,
            allocation,
            cluster,
            instant,
            parcel,
            pallet,
            dollar_server,
            rival_server,
        }
    }

    async fn organization(&mut self, kind: OrganizationKind, name: &str) -> OrganizationId {
        let new = Organization {
            id: self.mint.id(),
            kind,
            name: name.to_owned(),
            email: Some(format!("{}@example.test", name.to_lowercase().replace(' ', "."))),
            time_zone: "Europe/Berlin".to_owned(),
            created_at: self.mint.now(),
        };
        self.tx.insert_organization(&new).await.expect("an organisation");
        new.id
    }

    async fn account(
        &mut self,
        name: &str,
        organization: OrganizationId,
        role: Role,
        offerings: &[ProductId],
    ) -> Account {
        let now = self.mint.now();
        let user = User { id: self.mint.id(), email: format!("{name}@example.test"), name: name.to_owned() };
        self.tx.insert_user(&user, now).await.expect("an account");
        let membership = Membership { organization, role, offerings: offerings.to_vec() };
        let id = self.mint.id();
        self.tx.insert_membership(id, user.id, &membership, now).await.expect("a membership");
        Account { id: user.id, role }
    }

    async fn product(
        &mut self,
        provider: OrganizationId,
        name: &'static str,
        workflow: &'static str,
        kind: ProductKind,
        price: i64,
    ) -> Goods {
        let currency = if name.starts_with("dollar") { "USD" } else { "EUR" };
        let new = Product {
            id: self.mint.id(),
            provider,
            workflow: workflow.to_owned(),
            kind,
            sku: name.to_uppercase().replace(' ', "-"),
            name: name.to_owned(),
            description: None,
            currency: currency.parse().expect("a currency"),
            unit_price: UnitPrice(price * 1_000_000),
            tax_rate: 190_000,
            needs_consumer_approval: name == "allocation",
            needs_provider_approval: name == "allocation" || name == "cluster",
            active: true,
        };
        self.tx.insert_product(&new, self.mint.now()).await.expect("a product");
        Goods { id: new.id, name, workflow }
    }
}
