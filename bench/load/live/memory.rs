//! What idle subscribers take of the server's memory, and what it keeps a minute after they have left.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{Outcome, equal, table::Row};
use crate::{crowd::Crowd, site::Site, sockets::FIRST};

/// Before memory is read. Pings go every 15 seconds.
const SETTLE: Duration = Duration::from_secs(20);
/// From their leaving on.
const AFTER: Duration = Duration::from_secs(60);

/// Measures a new server.
pub async fn measure(site: &Site, count: usize) -> Result<Outcome> {
    let server = site.serve(&[]).await?;
    drop(Crowd::open(server.address, equal(site, FIRST)?).await?);
    sleep(Duration::from_secs(1)).await;
    let before = server.resident()?;
    let crowd = Crowd::open(server.address, equal(site, count)?).await?;
    sleep(SETTLE).await;
    crowd.whole()?;
    let with = server.resident()?;
    drop(crowd);
    sleep(AFTER).await;
    let after = server.resident()?;
    let each = (with - before) * 1024.0 / count as f64;
    let rows = vec![
        Row::of(format!("memory per subscriber, {count} of them"), format!("**{each:.1} KB**"))
            .bound("12 KB", "6 KB"),
        Row::of("60 s after they left", format!("**{:+.1} MB** from {before:.1}", after - before))
            .bound("its base", ""),
    ];
    Ok(Outcome { rows, tally: None })
}
