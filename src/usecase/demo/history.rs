//! Tells the stories: the rules decide every step at a moment in the past, in memory; the store gets
//! the decisions level by level.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::Actor,
    book::Book,
    order::{Admission, Decision, Draft, Facts, Order, Setting, admit, decide, place},
    role::Role,
};

use super::{
    Chance,
    basket::{Occasion, buyer, draft},
    company::{Company, missing},
    step,
    stories::{OLD_SHOP, STORIES, Story, Who},
};
use crate::error::Result;

/// Decisions by level: all first ones, then all second ones. Within a level no order appears twice,
/// as saving demands, and time goes forward.
pub(super) type Levels = Vec<Vec<Decision>>;

/// How many minutes ago the last step of an order was taken that is still under way.
const FRESH: &[i64] = &[4, 12, 26, 48, 130, 500, 1_300, 2_700, 4_200];
/// The age of the oldest story, in minutes.
const OLDEST: i64 = 56 * 24 * 60;

/// Makes every order of the demo, as of this moment.
pub(super) fn tell(
    book: &Book,
    company: &Company,
    now: DateTime<Utc>,
    chance: &mut Chance,
) -> Result<Levels> {
    let mut teller = Teller { book, company, now, chance, orders: 0, levels: Vec::new() };
    for (i, (status, skus)) in OLD_SHOP.iter().enumerate() {
        teller.import(i, status, skus)?;
    }
    for story in STORIES.iter().copied().flatten() {
        for i in 0..story.times {
            teller.order(story, story.baskets[i % story.baskets.len()])?;
        }
    }
    let mut levels = teller.levels;
    for level in &mut levels {
        level.sort_by_key(|decision| decision.after().head.updated_at);
    }
    Ok(levels)
}

struct Teller<'a> {
    book: &'a Book,
    company: &'a Company,
    now: DateTime<Utc>,
    chance: &'a mut Chance,
    orders: u64,
    levels: Levels,
}

impl<'a> Teller<'a> {
    /// The next order's customer: any of them.
    fn occasion(&mut self, at: DateTime<Utc>) -> Result<Occasion<'a>> {
        self.orders += 1;
        let customers = &self.company.customers;
        let customer = customers.iter().cycle().nth(self.orders as usize % customers.len().max(1));
        Ok(Occasion { customer: customer.ok_or_else(|| missing("customer"))?, nth: self.orders, at })
    }

    /// An order of the old shop, admitted on the day the new one opened.
    fn import(&mut self, i: usize, status: &str, skus: &[&str]) -> Result<()> {
        let opened = self.now - TimeDelta::minutes(OLDEST) - TimeDelta::days(3);
        let at = opened + TimeDelta::minutes(i as i64);
        let occasion = self.occasion(at)?;
        let mut draft = draft(self.company, &Actor::System, occasion, skus, self.chance)?;
        draft.external_reference = Some(format!("OLD-{:04}", 1_001 + i));
        draft.tags = vec!["old-shop".to_owned()];
        draft.particulars.client_ip = None;
        draft.particulars.metadata = Some(serde_json::json!({ "source": "imported from the old shop" }));
        let mut mint = self.chance.mint(at);
        let workflow = self.book.newest(self.workflow(&draft)?).ok_or_else(|| missing("workflow"))?;
        let facts = self.facts(at, false);
        let setting = Setting { workflow, actor: &Actor::System, facts: &facts };
        let unpaid = Admission { draft, status: status.to_owned(), paid: 0 };
        let total = admit(setting, &unpaid, &mut mint.clone())?.after().head.total;
        let decision = admit(setting, &Admission { paid: total, ..unpaid }, &mut mint)?;
        self.keep(0, decision);
        Ok(())
    }

    /// An order that lives through a story.
    fn order(&mut self, story: &Story, skus: &[&str]) -> Result<()> {
        let gaps: Vec<TimeDelta> = story.steps.iter().map(|(_, minutes, _)| self.jitter(*minutes)).collect();
        let lived = gaps.iter().sum();
        let mut at = self.now - self.since_last_step(story, lived) - lived;
        let occasion = self.occasion(at)?;
        let opener = match story.opener {
            Who::Buyer => buyer(self.company, occasion.customer)?,
            Who::Csr => self.company.member(self.company.operator, Role::Csr)?,
            _ => self.company.member(self.company.operator, Role::Staff)?,
        };
        let draft = draft(self.company, &opener.actor, occasion, skus, self.chance)?;
        let workflow = self.book.newest(self.workflow(&draft)?).ok_or_else(|| missing("workflow"))?;
        let facts = self.facts(at, false);
        let setting = Setting { workflow, actor: &opener.actor, facts: &facts };
        let decision = place(setting, &draft, &mut self.chance.mint(at))?;
        let mut order = self.keep(0, decision);
        for (level, ((who, _, what), gap)) in story.steps.iter().zip(gaps).enumerate() {
            at += gap;
            let actor = step::actor(self.company, *who, &order, occasion.customer)?;
            let command = step::command(self.company, *what, &order, self.chance)?;
            // The shop's automation expires what only the system touches.
            let facts = self.facts(at, *who == Who::System);
            let setting = Setting { workflow, actor, facts: &facts };
            let decision = decide(setting, &order, &command, &mut self.chance.mint(at))?;
            order = self.keep(level + 1, decision);
        }
        Ok(())
    }

    fn workflow(&self, draft: &Draft) -> Result<&'a str> {
        let first = draft.lines.first().and_then(|line| self.company.products.get(&line.product));
        Ok(&first.ok_or_else(|| missing("product"))?.workflow)
    }

    fn facts(&self, at: DateTime<Utc>, expiry_enabled: bool) -> Facts {
        Facts { products: self.company.products.clone(), today: at.date_naive(), expiry_enabled }
    }

    /// Keeps a decision at its level; the order as a later step loads it, without notes.
    fn keep(&mut self, level: usize, decision: Decision) -> Order {
        let mut order = decision.after().clone();
        order.notes.clear();
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        self.levels[level].push(decision);
        order
    }

    /// About so many minutes: three quarters to five quarters of them.
    fn jitter(&mut self, minutes: u32) -> TimeDelta {
        let seconds = i64::from(minutes) * 60;
        let spread = self.chance.roll(seconds.unsigned_abs() / 2 + 1) as i64;
        TimeDelta::seconds(seconds * 3 / 4 + spread)
    }

    /// How long ago an order's last step was.
    fn since_last_step(&mut self, story: &Story, lived: TimeDelta) -> TimeDelta {
        if story.fresh {
            let minutes = FRESH[self.chance.roll(FRESH.len() as u64) as usize];
            return self.jitter(minutes as u32);
        }
        let day = 24 * 60;
        let room = (OLDEST - day - lived.num_minutes()).max(1);
        TimeDelta::minutes(day + self.chance.roll(room.unsigned_abs()) as i64)
    }
}
