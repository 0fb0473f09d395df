//! What somebody in the demo orders: lines, contact, addresses.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::Actor,
    money::Money,
    order::{Address, Contact, Draft, DraftLine, Particulars, PaymentMethod, Product, ProductKind},
    permission,
    role::Role,
};
use serde_json::json;

use super::{
    Chance,
    company::{Account, Company, missing},
};
use crate::{
    error::Result,
    store::people::{Organization, OrganizationKind},
};

/// Who buys, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occasion<'a> {
    /// The customer.
    pub customer: &'a Organization,
    /// The how-manieth order of the demo it is, from 1.
    pub nth: u64,
    /// When it is placed.
    pub at: DateTime<Utc>,
}

const TAGS: &[&[&str]] =
    &[&[], &["vip"], &[], &["campus"], &["express"], &[], &["renewal"], &["campus", "pilot"], &[]];

const WISHES: &[&str] = &[
    "Please call before you come.",
    "We need this before the end of the month.",
    "Same setup as last time, please.",
    "Leave it with the porter.",
];

/// The account that buys for a customer: its consumer, or the person it is.
pub(super) fn buyer<'a>(company: &'a Company, customer: &Organization) -> Result<&'a Account> {
    let role = if customer.kind == OrganizationKind::Person { Role::Approver } else { Role::Consumer };
    company.member(customer.id, role)
}

/// The draft of an order for these products, as this actor may place it.
pub(super) fn draft(
    company: &Company,
    actor: &Actor,
    occasion: Occasion<'_>,
    skus: &[&str],
    chance: &mut Chance,
) -> Result<Draft> {
    let Occasion { customer, nth, at } = occasion;
    let desk = permission::places_for_anyone(actor) && actor.user().is_some();
    let mut lines = Vec::with_capacity(skus.len());
    for sku in skus {
        lines.push(line(company.product(sku)?, (nth, desk), chance));
    }
    let first = company.product(skus.first().ok_or_else(|| missing("line"))?)?;
    let goods = first.kind == ProductKind::Physical;
    let delivery_fee = (desk && first.workflow == "delivery").then(|| Money::new(490, first.currency));
    let external_reference = match customer.kind {
        OrganizationKind::Company if nth.is_multiple_of(4) => Some(format!("PO-{:04}", 2_000 + nth)),
        _ => None,
    };
    let expires = first.workflow == "commerce" && !desk;
    let tags = TAGS[chance.roll(TAGS.len() as u64) as usize];
    Ok(Draft {
        customer: customer.id,
        kind: None,
        lines,
        delivery_fee,
        agent: None,
        external_reference,
        expires_on: expires.then(|| (at + TimeDelta::days(14)).date_naive()),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        particulars: particulars(company, occasion, (goods, desk), chance)?,
    })
}

fn line(product: &Product, (nth, desk): (u64, bool), chance: &mut Chance) -> DraftLine {
    let quantity = match product.sku.as_str() {
        "HPC-CORE" => 1_000 * (1 + chance.roll(40)),
        "GPU-HOUR" => 10 * (1 + chance.roll(30)),
        "COFFEE" | "VEG-BOX" | "CHAIR" => 1 + chance.roll(4),
        "CONSULT" => 1 + chance.roll(5),
        _ => 1 + chance.roll(2),
    };
    let configuration = match product.kind {
        ProductKind::Vps => json!({ "region": "eu-central", "image": "debian-13", "backups": nth % 2 == 0 }),
        ProductKind::Slurm => json!({ "project": format!("p{nth:03}"), "partition": "standard" }),
        ProductKind::Hosting => json!({ "server": "web-02", "site": format!("site-{nth:03}.example") }),
        ProductKind::Domain => json!({ "domain": format!("demo-{nth:03}.eu"), "years": 1 }),
        ProductKind::Basic | ProductKind::Physical => json!({}),
    };
    let discount = (desk && nth.is_multiple_of(3)).then(|| Money::new(100, product.currency));
    DraftLine {
        product: product.id,
        quantity: quantity as i64,
        configuration: Some(configuration),
        discount,
        resource: None,
    }
}

fn particulars(
    company: &Company,
    Occasion { customer, nth, .. }: Occasion<'_>,
    (goods, desk): (bool, bool),
    chance: &mut Chance,
) -> Result<Particulars> {
    let person = &buyer(company, customer)?.user;
    let address = address(customer);
    let methods = PaymentMethod::ALL;
    let wish = chance.roll(3) == 0;
    Ok(Particulars {
        contact: Contact {
            name: person.name.clone(),
            email: person.email.clone(),
            phone: format!("+49 30 5550 {nth:04}"),
        },
        shipping_address: goods.then(|| address.clone()),
        billing_address: Some(address),
        customer_note: wish.then(|| WISHES[chance.roll(WISHES.len() as u64) as usize].to_owned()),
        payment_method: Some(methods[chance.roll(methods.len() as u64) as usize]),
        // Addresses for documentation, RFC 5737.
        client_ip: (!desk).then(|| format!("203.0.113.{}", 1 + nth % 250)),
        metadata: Some(json!({ "channel": if desk { "phone" } else { "web" } })),
    })
}

fn address(customer: &Organization) -> Address {
    let (street, city, postal_code, country) = match customer.time_zone.as_str() {
        "America/New_York" => ("350 Example Avenue", "New York", "10001", "US"),
        "Europe/Stockholm" => ("Exempelgatan 4", "Stockholm", "111 20", "SE"),
        _ => ("Beispielstraße 12", "Berlin", "10115", "DE"),
    };
    Address {
        name: customer.name.clone(),
        lines: vec![street.to_owned()],
        city: city.to_owned(),
        postal_code: postal_code.to_owned(),
        region: String::new(),
        country: country.to_owned(),
    }
}
