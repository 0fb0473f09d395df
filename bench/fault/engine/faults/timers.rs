//! Instances that are killed while timers fire.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::time::sleep;

use super::{
    super::{Scale, check::Verdict, site::Site},
    Outcome,
};

/// How long all timers may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Orders like one that waits, so many, half of them wanted further by staff, half resting for too long.
const PLANT: &str = "WITH pattern AS (SELECT o.* FROM orders o WHERE o.workflow = 'delivery' \
    AND o.status = 'pending' LIMIT 1), cloud AS (SELECT o.* FROM orders o WHERE o.workflow = 'cloud' \
    AND o.status = 'provisioning' LIMIT 1), numbers AS (SELECT i, now() AS at FROM generate_series(1, $1) i), \
    resting AS (INSERT INTO orders SELECT (jsonb_populate_record(NULL::orders, to_jsonb(cloud) || \
    jsonb_build_object('id', gen_random_uuid(), 'number', 20000000000 + i, 'external_reference', NULL, \
    'status_changed_at', at - interval '1 day', 'stalls_at', at))).* FROM cloud, numbers WHERE i % 2 = 0), \
    wanted AS (INSERT INTO orders SELECT (jsonb_populate_record(NULL::orders, to_jsonb(pattern) || \
    jsonb_build_object('id', gen_random_uuid(), 'number', 20000000000 + i, 'external_reference', NULL, \
    'stalls_at', NULL, 'expires_at', NULL))).* FROM pattern, numbers WHERE i % 2 = 1 RETURNING id) \
    INSERT INTO schedules (id, order_id, action, at, made_by, made_at, audience) \
    SELECT gen_random_uuid(), wanted.id, 'process', now(), $2, now(), 'PROVIDER' FROM wanted";
/// How many events there are of the orders, of how many orders, and how many fired as they should.
const FIRED: &str = "SELECT COUNT(*), COUNT(DISTINCT e.subject_id), COUNT(*) FILTER (WHERE e.kind = 'STALLED' \
    OR e.kind = 'STATUS_CHANGED' AND e.action = 'process' AND e.detail ->> 'type' = 'schedule') \
    FROM events e JOIN orders o ON o.id = e.subject_id WHERE o.number > 20000000000 AND e.subject_kind = 'ORDER'";
/// Who is killed next: chance, of the database.
const CHANCE: &str = "SELECT (random() * 1000000)::bigint";

/// SIGKILL for one instance or the other, again and again, while both fire what is due.
pub async fn timers(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let staff = site.cast.staff.user;
    site.table.all(PLANT, vec![i64::try_from(scale.timers)?.into(), staff.0.into()]).await?;
    let begun = Instant::now();
    for round in 1..=scale.rounds {
        let so_many = scale.timers * round / (scale.rounds + 1);
        until(site, so_many, begun).await?;
        let chance = number(site, CHANCE, 0).await?;
        sleep(Duration::from_millis(chance as u64 % 50)).await;
        let at = chance as usize % 2;
        site.kill(at)?;
        site.start(at).await?;
    }
    until(site, scale.timers, begun).await?;
    // What would fire twice does so by then: each looks once a second.
    sleep(Duration::from_secs(3)).await;
    let (events, orders) = (count(site, 0).await?, count(site, 1).await?);
    let good = count(site, 2).await?;
    let verdict = Verdict {
        acknowledged: scale.timers,
        delivered: events,
        lost: scale.timers.saturating_sub(orders),
        repeated: events.saturating_sub(orders),
        invented: events.saturating_sub(good),
        ..Verdict::default()
    };
    let took = begun.elapsed().as_secs_f64();
    Ok((verdict, format!("{} timers in {took:.1} s, {} instances killed", scale.timers, scale.rounds)))
}

/// Waits until so many have fired.
async fn until(site: &Site, so_many: usize, begun: Instant) -> Result<()> {
    while count(site, 0).await? < so_many {
        if begun.elapsed() > PATIENCE {
            bail!("{} of {so_many} timers fired", count(site, 0).await?);
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn count(site: &Site, column: usize) -> Result<usize> {
    Ok(usize::try_from(number(site, FIRED, column).await?)?)
}

async fn number(site: &Site, query: &str, column: usize) -> Result<i64> {
    let rows = site.table.all(query, Vec::new()).await?;
    match rows.first() {
        Some(row) => Ok(row.try_get_by_index(column)?),
        None => bail!("no row"),
    }
}
