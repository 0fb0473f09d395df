//! What an actor reaches, as conditions that an index serves.

use domain::actor::Reach;

use super::sql::Sql;

/// Appends the condition that an order `o` is in the set. COALESCE says which of two columns the index
/// is led by: the other one's holds far more orders, and either database would take it now and then, or
/// count on so few orders that sorting them looks cheaper than an index in their order.
pub(super) fn push_reach(sql: &mut Sql, reach: Reach) {
    match reach {
        Reach::Everything => sql.push("TRUE"),
        Reach::Provider(provider) => sql.push("o.provider_id = ").bind(provider.0),
        Reach::Offering(provider, offering) => {
            sql.push("o.offering_id = ").bind(offering.0);
            sql.push(" AND COALESCE(o.provider_id = ").bind(provider.0).push(", FALSE)")
        }
        Reach::Customer(customer) => sql.push("o.customer_id = ").bind(customer.0),
        Reach::Created(customer, user) => {
            sql.push("o.creator_id = ").bind(user.0);
            sql.push(" AND COALESCE(o.customer_id = ").bind(customer.0).push(", FALSE)")
        }
        Reach::Csr(user) => sql.push("o.csr_id = ").bind(user.0),
        Reach::Unassigned => sql.push("o.csr_id IS NULL"),
        Reach::Agent(user) => sql.push("o.agent_id = ").bind(user.0),
    };
}

/// Appends the condition that an order is *not* in the set, so that an order which several
/// memberships reach is listed once. Columns that may be empty need the second half.
pub(super) fn push_outside(sql: &mut Sql, reach: Reach) {
    match reach {
        Reach::Everything => sql.push("FALSE"),
        Reach::Provider(_) | Reach::Customer(_) | Reach::Unassigned => {
            sql.push("NOT (");
            push_reach(sql, reach);
            sql.push(")")
        }
        Reach::Offering(..) | Reach::Created(..) | Reach::Csr(_) | Reach::Agent(_) => {
            sql.push("COALESCE(NOT (");
            push_reach(sql, reach);
            sql.push("), TRUE)")
        }
    };
}
