//! `node` and `nodes`: any object by its id, whatever it is.

use std::collections::HashMap;

use async_graphql::{Context, ID, Interface, Object};
use domain::id::{JobId, OrderId, OrganizationId, ProductId, ResourceId, ServiceTokenId, TypedId, UserId};

use super::{
    account::ServiceToken,
    failure::Result,
    job::Job,
    order::{Order, Resource},
    paging::cost,
    people::{self as people_, Organization, User},
    product::{self, Product},
    viewer::session,
};
use crate::{
    app::App,
    error::Error,
    store::{catalogue, job, order, people, resource},
};

/// An object with an id of its own.
#[derive(Clone, Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its id; opaque, typed, sortable."))]
pub enum Node {
    /// An order.
    Order(Order),
    /// A product.
    Product(Product),
    /// What a line provides.
    Resource(Resource),
    /// An organisation.
    Organization(Organization),
    /// A person with an account.
    User(User),
    /// The token of a machine.
    ServiceToken(ServiceToken),
    /// Long work.
    Job(Job),
}

/// The most ids that `nodes` takes.
const MAX_NODES: usize = 100;

/// Reading by id.
#[derive(Debug, Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id. What the viewer may not see does not exist.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The object's id.")] id: ID,
    ) -> Option<Result<Node>> {
        match find(ctx, vec![id]).await {
            Ok(mut nodes) => nodes.pop().flatten().map(Ok),
            Err(failure) => Some(Err(failure)),
        }
    }

    /// The objects with these ids, in their order, null where there is none; at most 100.
    #[graphql(complexity = "cost(i32::try_from(ids.len()).ok(), child_complexity)")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The objects' ids.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        find(ctx, ids).await
    }
}

/// What an id names.
#[derive(Clone, Copy)]
enum Wanted {
    Order(OrderId),
    Product(ProductId),
    Resource(ResourceId),
    Organization(OrganizationId),
    User(UserId),
    ServiceToken(ServiceTokenId),
    Job(JobId),
}

fn read(id: &ID) -> std::result::Result<Wanted, Error> {
    let error = |error: domain::id::IdError| Error::bad_input("id", error.to_string());
    let prefix = id.split('_').next().unwrap_or_default();
    match prefix {
        OrderId::PREFIX => id.parse().map(Wanted::Order).map_err(error),
        ProductId::PREFIX => id.parse().map(Wanted::Product).map_err(error),
        ResourceId::PREFIX => id.parse().map(Wanted::Resource).map_err(error),
        OrganizationId::PREFIX => id.parse().map(Wanted::Organization).map_err(error),
        UserId::PREFIX => id.parse().map(Wanted::User).map_err(error),
        ServiceTokenId::PREFIX => id.parse().map(Wanted::ServiceToken).map_err(error),
        JobId::PREFIX => id.parse().map(Wanted::Job).map_err(error),
        _ => Err(Error::bad_input(
            "id",
            "an id begins with order_, product_, resource_, org_, user_, token_ or job_",
        )),
    }
}

/// One statement per type that is named, however many ids.
async fn find(ctx: &Context<'_>, ids: Vec<ID>) -> Result<Vec<Option<Node>>> {
    let session = session(ctx)?;
    if ids.len() > MAX_NODES {
        return Err(Error::bad_input("ids", format!("at most {MAX_NODES} ids are allowed")).into());
    }
    let wanted: Vec<Wanted> = ids.iter().map(read).collect::<std::result::Result<_, _>>()?;
    let store = &ctx.data_unchecked::<App>().store;
    let actor = session.actor();
    let pick = |pick: fn(&Wanted) -> Option<OrderId>| wanted.iter().filter_map(pick).collect::<Vec<_>>();
    let orders = pick(|w| if let Wanted::Order(id) = w { Some(*id) } else { None });
    let heads = order::by_ids(store, actor, &orders).await?;
    let orders: HashMap<OrderId, Order> = Order::all(session, heads.into_values().collect())
        .into_iter()
        .map(|order| (order.head().id, order))
        .collect();
    let ids: Vec<_> =
        wanted.iter().filter_map(|w| if let Wanted::Product(id) = w { Some(*id) } else { None }).collect();
    let products = catalogue::products(store, &ids).await?;
    let ids: Vec<_> =
        wanted.iter().filter_map(|w| if let Wanted::Resource(id) = w { Some(*id) } else { None }).collect();
    let resources: HashMap<ResourceId, Resource> = Resource::all(resource::by_ids(store, actor, &ids).await?)
        .map(|found| (found.key(), found))
        .collect();
    let ids: Vec<_> = wanted
        .iter()
        .filter_map(|w| if let Wanted::Organization(id) = w { Some(*id) } else { None })
        .collect();
    let organizations = people::organizations(store, &ids).await?;
    let ids: Vec<_> =
        wanted.iter().filter_map(|w| if let Wanted::User(id) = w { Some(*id) } else { None }).collect();
    let users = people::users(store, &ids).await?;
    let ids: Vec<_> = wanted
        .iter()
        .filter_map(|w| if let Wanted::ServiceToken(id) = w { Some(*id) } else { None })
        .collect();
    let tokens = ServiceToken::by_ids(store, actor, &ids).await?;
    let ids: Vec<_> =
        wanted.iter().filter_map(|w| if let Wanted::Job(id) = w { Some(*id) } else { None }).collect();
    let jobs = job::by_ids(store, domain::permission::job_scope(actor), &ids).await?;
    let jobs: HashMap<JobId, Job> =
        Job::all(jobs.into_values().collect()).into_iter().map(|job| (job.key(), job)).collect();
    let everybody = domain::permission::sees_everybody(actor);
    Ok(wanted
        .into_iter()
        .map(|wanted| match wanted {
            Wanted::Order(id) => orders.get(&id).cloned().map(Node::from),
            Wanted::Product(id) => {
                let found = products.get(&id).filter(|found| product::visible(actor, found));
                found.cloned().map(|found| Product::from(found).into())
            }
            Wanted::Resource(id) => resources.get(&id).cloned().map(Node::from),
            Wanted::Organization(id) => {
                let found = organizations.get(&id).filter(|found| people_::visible(actor, found));
                found.cloned().map(|found| Organization::from(found).into())
            }
            Wanted::User(id) => {
                let found = users.get(&id).filter(|found| everybody || actor.user() == Some(found.id));
                found.cloned().map(|found| User::from(found).into())
            }
            Wanted::ServiceToken(id) => tokens.get(&id).cloned().map(Node::from),
            Wanted::Job(id) => jobs.get(&id).cloned().map(Node::from),
        })
        .collect())
}
