//! How many statements one request makes, counted inside a server of this very process.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Result, anyhow};
use ordo::{
    app::{App, Machine},
    http::{self, StartPage, auth::Auth},
    store::Store,
};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{SECRET, generator, workload::Case};

/// The number for each case. BEGIN and COMMIT are not counted. No feed runs, so nothing else is.
pub async fn count(url: &str, cases: &[Case]) -> Result<Vec<u64>> {
    let counter = Arc::new(AtomicU64::new(0));
    let mut store = Store::open(url, 2).await.map_err(|error| anyhow!("{error:?}"))?;
    store.count_statements(counter.clone());
    let app = App::start(store, SECRET.as_bytes(), Arc::new(Machine)).await;
    let app = app.map_err(|error| anyhow!("{error:?}"))?;
    let store = app.store.clone();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let auth = Auth::with_secret(SECRET.as_bytes(), "ordo", "ordo");
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async {
        let _ = stopped.await;
    };
    let server = tokio::spawn(http::serve(
        listener,
        app,
        auth,
        http::Settings { limits: http::Limits::roomy(), ..http::Settings::default() },
        StartPage::default(),
        until,
    ));
    let mut counts = Vec::new();
    for case in cases {
        let before = counter.load(Ordering::Relaxed);
        generator::once(address, &case.counted).await?;
        counts.push(counter.load(Ordering::Relaxed) - before);
    }
    let _ = stop.send(());
    server.await??;
    store.close().await.map_err(|error| anyhow!("{error:?}"))?;
    Ok(counts)
}
