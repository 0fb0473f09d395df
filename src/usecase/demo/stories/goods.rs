//! Stories of goods: brought to the door, or sold by the shop.

use domain::order::PaymentMethod::{Card, Cash, Pos, Transfer};

use super::{
    Baskets, Step, Story,
    What::{Act, AssignAgent, AssignCsr, Because, Pay, Refund, Set},
    Who::{Agent, Buyer, Csr, Manager, Staff, System},
    now, past,
};

const DELIVERY: Baskets = &[&["COFFEE"], &["VEG-BOX"], &["COFFEE", "VEG-BOX"]];
const COMMERCE: Baskets = &[&["CHAIR"], &["DESK"], &["DESK", "CHAIR"]];

const PACK: Step = (Csr, 45, Act("process"));
const GIVEN: Step = (Csr, 20, AssignAgent);
const DRIVE: Step = (Agent, 90, Act("dispatch"));
const HANDED: Step = (Agent, 50, Act("deliver"));
const AWAY: Step = (Agent, 70, Because("fail", "Nobody answered the door"));

pub(super) const DELIVERED: &[Story] = &[
    now(5, DELIVERY, Buyer, &[]),
    now(2, DELIVERY, Csr, &[(Staff, 10, AssignCsr), (Csr, 12, AssignAgent)]),
    now(3, DELIVERY, Csr, &[PACK]),
    now(2, DELIVERY, Buyer, &[(Staff, 60, Pay(100, Card)), PACK, GIVEN]),
    now(4, DELIVERY, Csr, &[PACK, GIVEN, DRIVE]),
    past(7, DELIVERY, Csr, &[PACK, GIVEN, DRIVE, HANDED, (Agent, 2, Pay(100, Cash))]),
    past(3, DELIVERY, Buyer, &[(Staff, 60, Pay(100, Pos)), GIVEN, DRIVE, HANDED]),
    past(
        2,
        DELIVERY,
        Buyer,
        &[
            PACK,
            GIVEN,
            DRIVE,
            AWAY,
            (Csr, 900, Set("processing", "The customer is at home tomorrow")),
            DRIVE,
            HANDED,
        ],
    ),
    now(3, DELIVERY, Csr, &[PACK, GIVEN, DRIVE, AWAY]),
    past(2, DELIVERY, Buyer, &[(Csr, 200, Because("cancel", "Ordered twice by mistake"))]),
    past(
        2,
        DELIVERY,
        Buyer,
        &[
            (Staff, 60, Pay(100, Card)),
            PACK,
            (Staff, 300, Refund(100, "The harvest was lost to hail")),
            (Staff, 4, Because("cancel", "Sold out; the money is on its way back")),
        ],
    ),
];

const SHIP: Step = (Manager, 1_500, Act("ship"));

pub(super) const SOLD: &[Story] = &[
    now(6, COMMERCE, Buyer, &[]),
    now(2, COMMERCE, Staff, &[(Staff, 700, Pay(50, Transfer))]),
    now(5, COMMERCE, Buyer, &[(Staff, 700, Pay(100, Transfer)), SHIP]),
    past(2, COMMERCE, Buyer, &[(Buyer, 500, Act("cancel"))]),
    past(2, &[&["CHAIR"], &["DESK"]], Buyer, &[(System, 32_000, Act("expire"))]),
    past(4, COMMERCE, Buyer, &[(Staff, 700, Pay(100, Card)), SHIP, (Staff, 9_000, Act("close"))]),
    past(1, COMMERCE, Buyer, &[(Buyer, 500, Act("cancel")), (Staff, 2_000, Act("close"))]),
    past(
        4,
        COMMERCE,
        Buyer,
        &[
            (Staff, 700, Pay(100, Transfer)),
            SHIP,
            (Staff, 9_000, Act("close")),
            (Staff, 12_000, Act("archive")),
        ],
    ),
];
