//! Contact and addresses of an order.

use async_graphql::SimpleObject;
use domain::order;

/// Whom to reach about an order, as it was when the order was placed.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderContact {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Telephone number.
    pub phone: String,
}

/// A postal address, as it was when the order was placed.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderAddress {
    /// Addressee.
    pub name: String,
    /// Street, house number, floor.
    lines: Vec<String>,
    /// Town.
    city: String,
    /// Postal code.
    postal_code: String,
    /// State, province or region.
    region: String,
    /// Country, ISO 3166-1 alpha-2.
    country: String,
}

impl From<order::Address> for OrderAddress {
    fn from(address: order::Address) -> OrderAddress {
        let order::Address { name, lines, city, postal_code, region, country } = address;
        OrderAddress { name, lines, city, postal_code, region, country }
    }
}
