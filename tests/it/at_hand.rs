//! Objects that are written at once say what their resolvers say.

use serde_json::{Value, json};

use crate::harness::{App, Client};

/// Every object that has fields at hand: where it stands in an order, its type, its fields.
const OBJECTS: [(&str, &str, &[&str]); 7] = [
    ("status", "OrderStatus", &["code", "label", "category", "color", "isFinal"]),
    ("customer", "Organization", &["id", "name"]),
    ("provider", "Organization", &["id", "name", "timeZone"]),
    (
        "pricing",
        "OrderPricing",
        &[
            "subtotal { amount currency }",
            "discount { amount }",
            "tax { currency }",
            "deliveryFee { amount }",
            "total { amount currency }",
            "paid { amount }",
            "due { amount currency }",
        ],
    ),
    ("pricing { total", "Money", &["amount", "currency"]),
    (
        "items(first: 3) { nodes",
        "OrderItem",
        &[
            "id",
            "position",
            "name",
            "quantity",
            "status",
            "lineTotal { amount currency }",
            "product { id name }",
            "product { name }",
            "product { name sku provider { name } }",
            "sku",
            "configuration",
            "unitPrice { amount }",
            "discount { amount }",
            "taxRate",
            "tax { amount }",
            "paymentStatus",
            "resource { name }",
        ],
    ),
    ("items(first: 3) { nodes { product", "Product", &["id", "name", "kind", "provider { id name }"]),
];

async fn orders(client: &Client, inside: &str) -> Value {
    let query = format!("{{ orders(first: 30) {{ nodes {{ id {inside} }} }} }}");
    client.data(&query, json!({})).await["orders"]["nodes"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_at_hand_read_as_their_resolvers_say() {
    let app = App::start().await;
    app.crowd(5, 40).await;
    for client in [app.staff(), app.provider(), app.consumer()] {
        for (place, name, fields) in OBJECTS {
            let close = " }".repeat(place.matches('{').count() + 1);
            let all = fields.iter().map(|field| {
                let key = field.replace(|c: char| !c.is_ascii_alphanumeric(), "");
                format!("{key}: {field}")
            });
            let all = all.collect::<Vec<_>>().join(" ");
            for field in fields.iter().map(|field| (*field).to_owned()).chain([all]) {
                let at_hand = orders(&client, &format!("{place} {{ {field} {close}")).await;
                assert!(at_hand.as_array().is_some_and(|orders| !orders.is_empty()), "{place} {field}");
                // A fragment is nothing that is at hand: the library asks each resolver.
                let resolved =
                    orders(&client, &format!("{place} {{ ... on {name} {{ {field} }} {close}")).await;
                assert_eq!(at_hand, resolved, "{place} {field}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_twice_is_merged_and_a_directive_is_followed() {
    let app = App::start().await;
    app.crowd(1, 3).await;
    let staff = app.staff();
    let merged = orders(&staff, "pricing { total { amount } total { currency } }").await;
    assert!(merged[0]["pricing"]["total"]["amount"].is_string(), "{merged}");
    assert_eq!(merged[0]["pricing"]["total"]["currency"], "EUR", "{merged}");
    let named = orders(&staff, "status { __typename code @skip(if: true) }").await;
    assert_eq!(named[0]["status"], json!({ "__typename": "OrderStatus" }));
}
