//! Rights that end or move while streams are open.

use std::time::{Duration, Instant};

use anyhow::bail;
use chrono::TimeDelta;
use tokio::time::sleep;

use super::{
    super::{
        Scale,
        load::{Load, Shape, Who, Work},
        reader::Transport,
        site::Site,
    },
    Outcome,
};

/// How long a token lives that is to expire often.
const LIFE: Duration = Duration::from_secs(2);
/// A right that was taken away is felt within a second, and by then for all that is committed later.
const FELT: Duration = Duration::from_millis(1_500);

/// Tokens expire in mid-stream; readers come back with new ones.
pub async fn expiry(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let life = TimeDelta::from_std(LIFE)?;
    let load = Load::begin(site, Shape { life, ..Shape::usual() }).await?;
    let begun = Instant::now();
    while begun.elapsed() < LIFE * u32::try_from(scale.rounds)? + LIFE / 2 {
        load.progress(scale.writes / 4).await?;
    }
    let finished = load.finish().await?;
    let ends: Vec<usize> = finished.heard.iter().map(|heard| heard.ends).collect();
    if ends.iter().any(|ends| *ends < scale.rounds) {
        bail!("tokens live for {LIFE:?}, but streams ended this often: {ends:?}");
    }
    Ok(finished.report(&format!("streams ended {} times", ends.iter().sum::<usize>())))
}

/// A provider's membership is taken away: it gets what was told before, and nothing that comes after.
pub async fn role_removed(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let mut load = Load::begin(site, Shape::usual()).await?;
    load.progress(scale.writes).await?;
    let removed = vec![site.cast.provider.user.0.into()];
    site.table.all("DELETE FROM memberships WHERE user_id = $1", removed).await?;
    let base = load.base();
    let Some(provider) = load.listeners.iter_mut().find(|one| matches!(one.who, Who::Provider)) else {
        bail!("no provider listens");
    };
    let told = provider.reader.count();
    sleep(FELT).await;
    let (over, _) = site.table.head().await?;
    let certain = site.table.log(base).await?.get(told.saturating_sub(1)).map_or(0, |row| row.seq);
    provider.taken = Some((certain, over));
    load.progress(scale.writes).await?;
    let finished = load.finish().await?;
    let after = finished.log.iter().filter(|row| row.seq > over).count();
    Ok(finished.report(&format!("{after} events later, the provider was told of none")))
}

/// Orders go from hand to hand and back; each reader is told of what it has, also after an instance is killed.
pub async fn hand_over(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let besides = vec![(Who::Csr, Transport::Socket, 0), (Who::Agent, Transport::Socket, 1)];
    let load = Load::begin(site, Shape { work: Work::HandOver, besides, ..Shape::usual() }).await?;
    for round in 0..scale.rounds {
        load.progress(scale.writes).await?;
        site.kill(round % 2)?;
        load.progress(scale.writes).await?;
        site.start(round % 2).await?;
    }
    Ok(load.finish().await?.report("to a representative, to an agent, and back"))
}
