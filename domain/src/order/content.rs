//! What an order says, checked: trimmed, bounded, in its currency. The same when it is placed and when it is edited.

use super::{
    Address, Contact, Particulars,
    command::{FreeText, limits},
};
use crate::{
    money::{Currency, Money},
    refusal::Refusal,
};

/// An amount of at least zero in the order's currency, in minor units; zero if none is given.
pub(super) fn in_currency(amount: Option<Money>, currency: Currency, path: &str) -> Result<i64, Refusal> {
    match amount {
        None => Ok(0),
        Some(amount) if amount.currency != currency => {
            let message = format!("the order is in {}", currency.code());
            Err(Refusal::invalid(&format!("{path}.currency"), message))
        }
        Some(amount) if amount.minor < 0 => {
            Err(Refusal::invalid(&format!("{path}.amount"), "the amount must not be negative"))
        }
        Some(amount) => Ok(amount.minor),
    }
}

/// Each tag once, sorted.
pub(super) fn tags(tags: &[String]) -> Result<Vec<String>, Refusal> {
    if tags.len() > limits::TAGS {
        return Err(Refusal::invalid("tags", format!("at most {} tags are allowed", limits::TAGS)));
    }
    let tag = FreeText { path: "tags", most: 50 };
    let mut tags: Vec<String> = tags.iter().map(|text| tag.required(text)).collect::<Result<_, _>>()?;
    tags.sort();
    tags.dedup();
    Ok(tags)
}

/// Refuses JSON that is no object, or not to be stored.
pub(super) fn check_json(value: &serde_json::Value, path: &str) -> Result<(), Refusal> {
    if !value.is_object() {
        return Err(Refusal::invalid(path, "a JSON object is expected"));
    }
    if value.to_string().len() > limits::JSON {
        return Err(Refusal::invalid(path, format!("at most {} bytes of JSON are allowed", limits::JSON)));
    }
    if !is_storable(value, limits::NESTING) {
        let message = format!("at most {} levels, and no NUL characters, are allowed", limits::NESTING);
        return Err(Refusal::invalid(path, message));
    }
    Ok(())
}

/// Whether every database holds it and every client reads it back: PostgreSQL has no NUL, and parsers
/// stop at some depth.
fn is_storable(value: &serde_json::Value, levels: usize) -> bool {
    use serde_json::Value;
    let inner = |value: &Value| levels > 0 && is_storable(value, levels - 1);
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.contains('\0'),
        Value::Array(values) => values.iter().all(inner),
        Value::Object(fields) => fields.iter().all(|(name, value)| !name.contains('\0') && inner(value)),
    }
}

/// Contact, addresses and notes, trimmed and bounded.
pub(super) fn particulars(given: &Particulars) -> Result<Particulars, Refusal> {
    let text = |path, value: &str| {
        FreeText { path, most: limits::NAME }.optional(Some(value)).map(Option::unwrap_or_default)
    };
    let address = |path: &'static str, address: &Option<Address>| {
        let Some(address) = address else { return Ok(None) };
        if address.lines.len() > 4 {
            return Err(Refusal::invalid(path, "an address has at most four lines"));
        }
        Ok(Some(Address {
            name: text(path, &address.name)?,
            lines: address.lines.iter().map(|line| text(path, line)).collect::<Result<_, _>>()?,
            city: text(path, &address.city)?,
            postal_code: text(path, &address.postal_code)?,
            region: text(path, &address.region)?,
            country: text(path, &address.country)?,
        }))
    };
    if let Some(metadata) = &given.metadata {
        check_json(metadata, "metadata")?;
    }
    Ok(Particulars {
        contact: Contact {
            name: text("contact.name", &given.contact.name)?,
            email: text("contact.email", &given.contact.email)?,
            phone: text("contact.phone", &given.contact.phone)?,
        },
        shipping_address: address("shippingAddress", &given.shipping_address)?,
        billing_address: address("billingAddress", &given.billing_address)?,
        customer_note: FreeText { path: "customerNote", most: limits::NOTE }
            .optional(given.customer_note.as_deref())?,
        payment_method: given.payment_method,
        client_ip: given.client_ip.clone(),
        metadata: given.metadata.clone(),
    })
}
