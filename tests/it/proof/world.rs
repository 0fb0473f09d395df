//! Two tenants, two providers, and the operator's people; every text about them says whose it is.

use chrono::TimeDelta;
use domain::{
    actor::Membership,
    id::{OrderId, OrganizationId, ProductId, UserId},
    mint::Mint,
    money::UnitPrice,
    order::{Product, ProductKind},
    role::Role,
};
use ordo::{
    app::World as _,
    store::{
        Tx,
        people::{Organization, OrganizationKind, User},
    },
};

use super::{expectation::Kind, job::OwnJob, machine::Machine, people::Invited};
use crate::harness::{App, Client};

/// Somebody who looks.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub name: &'static str,
    pub role: Role,
    pub user: UserId,
    pub organization: OrganizationId,
    pub offerings: Vec<ProductId>,
    pub client: Client,
}

/// A product on the shelf, or off it.
#[derive(Clone, Debug)]
pub struct Shelved {
    pub id: ProductId,
    pub provider: OrganizationId,
    pub active: bool,
}

/// Who is who on an order, as the test wrote it.
#[derive(Clone, Debug)]
pub struct Placed {
    pub name: &'static str,
    pub id: String,
    pub customer: OrganizationId,
    pub provider: OrganizationId,
    pub product: ProductId,
    pub creator: UserId,
    pub csr: Option<UserId>,
    pub agent: Option<UserId>,
    pub deleted: bool,
    pub archived: bool,
}

/// What a marker is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// By its place in [`World::orders`].
    Order(usize),
    Organization(OrganizationId),
    /// By its place in [`World::shelf`].
    Product(usize),
    User(UserId),
    /// By its place in [`World::machines`].
    Token(usize),
    /// By whose it is.
    Job(UserId),
}

/// A text that tells where it came from.
#[derive(Clone, Debug)]
pub struct Marker {
    pub text: String,
    pub kind: Kind,
    pub owner: Owner,
}

/// Somebody did something on an order, which shows the person to those who may know of it.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub order: usize,
    pub user: UserId,
    pub kind: Kind,
}

/// A provider's side.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    pub organization: OrganizationId,
    pub owner: UserId,
    pub manager: UserId,
    pub worker: UserId,
    /// cloud; the manager's offering.
    pub server: ProductId,
    /// marketplace.
    pub allocation: ProductId,
    /// delivery; the narrowed worker's offering.
    pub parcel: ProductId,
    /// hosting.
    pub webspace: ProductId,
    /// commerce.
    pub pallet: ProductId,
}

/// A customer's side.
#[derive(Clone, Copy, Debug)]
pub struct Tenant {
    pub organization: OrganizationId,
    pub approver: UserId,
    pub consumer: UserId,
}

/// Everything that the proof stands on.
#[derive(Debug)]
pub struct World {
    pub viewers: Vec<Viewer>,
    pub shelf: Vec<Shelved>,
    pub providers: [Provider; 2],
    pub tenants: [Tenant; 2],
    pub csrs: [UserId; 2],
    pub agents: [UserId; 2],
    /// Accounts that log in with a password; nobody looks as them otherwise.
    pub guests: Vec<Viewer>,
    pub machines: Vec<Machine>,
    pub invitations: Vec<Invited>,
    pub jobs: Vec<OwnJob>,
    pub orders: Vec<Placed>,
    pub links: Vec<Link>,
    pub markers: Vec<Marker>,
}

impl World {
    /// Founds organisations, accounts and products; orders are written later.
    pub async fn found(app: &App) -> World {
        let mint = app.world.mint();
        let operator = app.company.operator;
        let founded = app.inner.store.write(async move |tx| {
            let nobody =
                Founding { tx: &tx, mint, viewers: vec![], guests: vec![], shelf: vec![], markers: vec![] };
            Ok(nobody.found(operator).await)
        });
        let mut world = founded.await.expect("a world");
        for viewer in &mut world.viewers {
            let token = app.token(viewer.user, TimeDelta::hours(8));
            viewer.client = Client::new(&app.url, Some(token));
        }
        world.make_machines(app).await;
        world.invite().await;
        world.make_jobs(app).await;
        world
    }

    /// A viewer by name.
    pub fn viewer(&self, name: &str) -> &Viewer {
        self.viewers.iter().find(|viewer| viewer.name == name).unwrap_or_else(|| panic!("no viewer {name}"))
    }

    /// Whoever looks or logs in by this name.
    pub fn somebody(&self, name: &str) -> Option<&Viewer> {
        self.viewers.iter().chain(&self.guests).find(|viewer| viewer.name == name)
    }

    /// Every account there is.
    pub fn accounts(&self) -> impl Iterator<Item = UserId> {
        let people = self.viewers.iter().chain(&self.guests).map(|viewer| viewer.user);
        people.chain(self.machines.iter().map(|machine| machine.account))
    }

    /// The client of an account.
    pub fn client(&self, user: UserId) -> &Client {
        &self.viewers.iter().find(|viewer| viewer.user == user).expect("an account").client
    }

    /// The address that an account logs in with.
    pub fn email_of(&self, user: UserId) -> String {
        let of = |marker: &&Marker| marker.owner == Owner::User(user) && marker.kind == Kind::UserEmail;
        self.markers.iter().find(of).expect("an address").text.clone()
    }

    /// A new text about something, to be stored.
    pub fn mark(&mut self, owner: Owner, kind: Kind, of: &str) -> String {
        let text = marker(of, kind, self.markers.len());
        self.markers.push(Marker { text: text.clone(), kind, owner });
        text
    }

    /// An id that exists nowhere, of the same kind as this one.
    pub fn missing(app: &App, id: &str) -> String {
        let fresh = app.world.mint().id::<OrderId>().to_string();
        let (prefix, _) = id.rsplit_once('_').expect("a typed id");
        fresh.replacen("order", prefix, 1)
    }
}

/// A text that tells what it is about; no two are the same.
pub fn marker(of: &str, kind: Kind, number: usize) -> String {
    format!("mk-{of}-{kind:?}-{:04x}", (number + 1) * 0x1f35 % 0x10000)
}

struct Founding<'a> {
    tx: &'a Tx,
    mint: Mint,
    viewers: Vec<Viewer>,
    guests: Vec<Viewer>,
    shelf: Vec<Shelved>,
    markers: Vec<Marker>,
}

impl Founding<'_> {
    async fn found(mut self, operator: OrganizationId) -> World {
        for (name, role) in [("admin", Role::Admin), ("staff", Role::Staff), ("support", Role::Support)] {
            self.account(name, operator, role, &[]).await;
        }
        let csrs = [
            self.account("csr1", operator, Role::Csr, &[]).await,
            self.account("csr2", operator, Role::Csr, &[]).await,
        ];
        let agents = [
            self.account("agent1", operator, Role::Agent, &[]).await,
            self.account("agent2", operator, Role::Agent, &[]).await,
        ];
        let providers = [
            self.provider("providerP", ["ownerP", "managerP", "workerP", "narrowP"]).await,
            self.provider("providerQ", ["ownerQ", "managerQ", "workerQ", "narrowQ"]).await,
        ];
        let tenants = [
            self.tenant("tenantA", ["approverA", "consumerA", "guestA"]).await,
            self.tenant("tenantB", ["approverB", "consumerB", "guestB"]).await,
        ];
        let Founding { viewers, guests, shelf, markers, .. } = self;
        World {
            viewers,
            shelf,
            providers,
            tenants,
            csrs,
            agents,
            guests,
            machines: Vec::new(),
            invitations: Vec::new(),
            jobs: Vec::new(),
            orders: Vec::new(),
            links: Vec::new(),
            markers,
        }
    }

    fn mark(&mut self, owner: Owner, kind: Kind, of: &str) -> String {
        let text = marker(of, kind, self.markers.len());
        self.markers.push(Marker { text: text.clone(), kind, owner });
        text
    }

    async fn organization(&mut self, name: &'static str, kind: OrganizationKind) -> OrganizationId {
        let id = self.mint.id();
        let owner = Owner::Organization(id);
        let shown = match kind {
            OrganizationKind::Provider => Kind::ProviderName,
            _ => Kind::CustomerName,
        };
        let new = Organization {
            id,
            kind,
            name: self.mark(owner, shown, name),
            email: Some(self.mark(owner, Kind::OrganizationEmail, name)),
            time_zone: "Europe/Berlin".to_owned(),
            created_at: self.mint.now(),
        };
        self.tx.insert_organization(&new).await.expect("an organisation");
        id
    }

    async fn account(
        &mut self,
        name: &'static str,
        organization: OrganizationId,
        role: Role,
        offerings: &[ProductId],
    ) -> UserId {
        let (id, now) = (self.mint.id(), self.mint.now());
        let owner = Owner::User(id);
        let user = User {
            id,
            email: self.mark(owner, Kind::UserEmail, name),
            name: self.mark(owner, Kind::UserName, name),
        };
        self.tx.insert_user(&user, now).await.expect("an account");
        let membership = Membership { organization, role, offerings: offerings.to_vec() };
        let membership_id = self.mint.id();
        self.tx.insert_membership(membership_id, id, &membership, now).await.expect("a membership");
        let offerings = offerings.to_vec();
        let client = Client::new("", None);
        self.viewers.push(Viewer { name, role, user: id, organization, offerings, client });
        id
    }

    async fn tenant(&mut self, name: &'static str, people: [&'static str; 3]) -> Tenant {
        let organization = self.organization(name, OrganizationKind::Company).await;
        self.account(people[2], organization, Role::Consumer, &[]).await;
        self.guests.extend(self.viewers.pop());
        Tenant {
            organization,
            approver: self.account(people[0], organization, Role::Approver, &[]).await,
            consumer: self.account(people[1], organization, Role::Consumer, &[]).await,
        }
    }

    async fn provider(&mut self, name: &'static str, people: [&'static str; 4]) -> Provider {
        let organization = self.organization(name, OrganizationKind::Provider).await;
        let server = self.product((name, organization), "cloud", ProductKind::Vps, true).await;
        let allocation = self.product((name, organization), "marketplace", ProductKind::Basic, true).await;
        let parcel = self.product((name, organization), "delivery", ProductKind::Physical, true).await;
        let webspace = self.product((name, organization), "hosting", ProductKind::Hosting, true).await;
        let pallet = self.product((name, organization), "commerce", ProductKind::Physical, true).await;
        self.product((name, organization), "cloud", ProductKind::Domain, false).await;
        self.account(people[3], organization, Role::Worker, &[parcel]).await;
        Provider {
            organization,
            owner: self.account(people[0], organization, Role::Provider, &[]).await,
            manager: self.account(people[1], organization, Role::Manager, &[server]).await,
            worker: self.account(people[2], organization, Role::Worker, &[]).await,
            server,
            allocation,
            parcel,
            webspace,
            pallet,
        }
    }

    async fn product(
        &mut self,
        (name, provider): (&'static str, OrganizationId),
        workflow: &str,
        kind: ProductKind,
        active: bool,
    ) -> ProductId {
        let id = self.mint.id();
        let owner = Owner::Product(self.shelf.len());
        self.shelf.push(Shelved { id, provider, active });
        let new = Product {
            id,
            provider,
            workflow: workflow.to_owned(),
            kind,
            sku: self.mark(owner, Kind::ProductText, name),
            name: self.mark(owner, Kind::ProductText, name),
            description: Some(self.mark(owner, Kind::ProductText, name)),
            currency: "EUR".parse().expect("a currency"),
            unit_price: UnitPrice(20_000_000),
            tax_rate: 190_000,
            needs_consumer_approval: true,
            needs_provider_approval: true,
            active,
        };
        self.tx.insert_product(&new, self.mint.now()).await.expect("a product");
        id
    }
}
