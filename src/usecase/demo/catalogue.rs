//! What is for sale in the demo: offers for all five workflows.

use domain::{
    id::{OrganizationId, ProductId},
    money::UnitPrice,
    order::{Product, ProductKind},
};

use super::company::missing;
use crate::error::Result;

/// What a customer must approve, what the provider must approve.
#[derive(Clone, Copy)]
enum Approval {
    Nobody,
    Consumer,
    Provider,
    Both,
}

/// Something for sale.
pub(super) struct Offer {
    pub sku: &'static str,
    name: &'static str,
    description: &'static str,
    pub provider: &'static str,
    workflow: &'static str,
    kind: ProductKind,
    /// In millionths of a unit of the currency.
    price: i64,
    currency: &'static str,
    tax_rate: i64,
    approval: Approval,
    active: bool,
}

/// 19 %.
const STANDARD: i64 = 190_000;
/// 7 %, food.
const REDUCED: i64 = 70_000;

impl Offer {
    const fn new(
        (sku, name, description): (&'static str, &'static str, &'static str),
        (provider, workflow, kind): (&'static str, &'static str, ProductKind),
        price: i64,
    ) -> Offer {
        let (currency, tax_rate, approval, active) = ("EUR", STANDARD, Approval::Nobody, true);
        Offer {
            sku,
            name,
            description,
            provider,
            workflow,
            kind,
            price,
            currency,
            tax_rate,
            approval,
            active,
        }
    }

    const fn approved_by(self, approval: Approval) -> Offer {
        Offer { approval, ..self }
    }
}

impl Offer {
    /// The product of this offer.
    pub fn product(&self, id: ProductId, provider: OrganizationId) -> Result<Product> {
        Ok(Product {
            id,
            provider,
            workflow: self.workflow.to_owned(),
            kind: self.kind,
            sku: self.sku.to_owned(),
            name: self.name.to_owned(),
            description: Some(self.description.to_owned()),
            currency: self.currency.parse().map_err(|_| missing(self.currency))?,
            unit_price: UnitPrice(self.price),
            tax_rate: self.tax_rate,
            needs_consumer_approval: matches!(self.approval, Approval::Consumer | Approval::Both),
            needs_provider_approval: matches!(self.approval, Approval::Provider | Approval::Both),
            active: self.active,
        })
    }
}

/// Everything for sale, oldest first.
pub(super) const CATALOGUE: &[Offer] = &[
    Offer::new(
        ("VPS-S", "Virtual server S", "2 vCPU, 4 GB, 80 GB, per month"),
        ("nimbus", "cloud", ProductKind::Vps),
        5_900_000,
    ),
    Offer::new(
        ("VPS-L", "Virtual server L", "8 vCPU, 32 GB, 400 GB, per month"),
        ("nimbus", "cloud", ProductKind::Vps),
        39_500_000,
    ),
    Offer::new(
        ("PG-M", "Managed PostgreSQL M", "Backups, failover, 100 GB, per month"),
        ("nimbus", "cloud", ProductKind::Basic),
        119_000_000,
    ),
    Offer::new(
        ("HPC-CORE", "HPC core hours", "Allocation on the Nimbus cluster"),
        ("nimbus", "marketplace", ProductKind::Slurm),
        31_000,
    )
    .approved_by(Approval::Both),
    Offer {
        currency: "USD",
        ..Offer::new(
            ("GPU-HOUR", "GPU hours", "One accelerator, billed by the hour"),
            ("nimbus", "marketplace", ProductKind::Slurm),
            1_850_000,
        )
        .approved_by(Approval::Consumer)
    },
    Offer::new(
        ("CONSULT", "Consulting day", "An engineer for a day, on site or remote"),
        ("nimbus", "marketplace", ProductKind::Basic),
        960_000_000,
    )
    .approved_by(Approval::Provider),
    Offer::new(
        ("SANDBOX", "Sandbox machine", "Made by the site agent within minutes"),
        ("nimbus", "marketplace", ProductKind::Vps),
        9_900_000,
    ),
    Offer::new(
        ("WEB-S", "Web hosting S", "One site, 10 GB, per month"),
        ("nimbus", "hosting", ProductKind::Hosting),
        4_990_000,
    ),
    Offer::new(
        ("WEB-PRO", "Web hosting Pro", "Ten sites, 100 GB, per month"),
        ("nimbus", "hosting", ProductKind::Hosting),
        12_990_000,
    ),
    Offer::new(
        ("DOMAIN-EU", "Domain .eu", "Registration for a year"),
        ("nimbus", "hosting", ProductKind::Domain),
        9_000_000,
    ),
    Offer {
        tax_rate: REDUCED,
        ..Offer::new(
            ("COFFEE", "Coffee beans, 1 kg", "Roasted on the day it leaves"),
            ("crate", "delivery", ProductKind::Physical),
            18_900_000,
        )
    },
    Offer {
        tax_rate: REDUCED,
        ..Offer::new(
            ("VEG-BOX", "Vegetable box", "What the week gives, for two"),
            ("crate", "delivery", ProductKind::Physical),
            24_000_000,
        )
    },
    Offer::new(
        ("CHAIR", "Office chair", "Oak and wool"),
        ("crate", "commerce", ProductKind::Physical),
        189_000_000,
    ),
    Offer::new(
        ("DESK", "Standing desk", "160 by 80 cm"),
        ("crate", "commerce", ProductKind::Physical),
        429_000_000,
    ),
    Offer {
        active: false,
        ..Offer::new(
            ("FAX", "Fax machine", "No longer sold"),
            ("crate", "commerce", ProductKind::Physical),
            79_000_000,
        )
    },
];
