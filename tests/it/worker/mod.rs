//! `ordo worker` as providers run it: the real program, hooks that behave and hooks that do not, servers and
//! workers that go away.

mod shop;

use std::process::Stdio;

use chrono::TimeDelta;
use ordo::usecase::order::lose_expired;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::shop::{Shop, Voice, kill, release, signal};
use crate::{
    cli::{LOG, LONG_SECRET, PATIENCE, Server, ordo, run, text},
    harness::SECRET,
    items,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_reads_the_order_and_its_last_line_names_what_it_made() {
    let shop = Shop::open().await;
    shop.hook("cat > seen.json; env > env.txt; echo making it; echo '{\"backendId\": \"vm-'$ORDO_ATTEMPT_NUMBER'\"}'")
        .await;
    let worker = shop.start(&["--cursor-file", "cursor"]);
    // One that is there when the worker starts, and one that comes later.
    for _ in 0..2 {
        let order = shop.orders(1).await.remove(0);
        shop.until(&order, "fulfilled").await;
        let seen: Value = serde_json::from_slice(&std::fs::read(shop.path("seen.json")).unwrap()).unwrap();
        let attempt = shop.attempt(&order).await;
        assert_eq!((&seen["order"]["id"], &seen["attempt"]["id"]), (&json!(order), &attempt["id"]));
        assert_eq!(seen["order"]["number"].as_str().map(str::len), Some(10));
        assert_eq!((&seen["attempt"]["number"], &seen["attempt"]["fence"]), (&json!(1), &json!(1)));
        assert_eq!((&seen["line"]["name"], &seen["order"]["lines"][0]), (&json!("server"), &seen["line"]));
        assert_eq!(seen["line"]["resource"]["state"], "CREATING");
        let environment = std::fs::read_to_string(shop.path("env.txt")).unwrap();
        assert!(environment.contains(&format!("ORDO_ATTEMPT_ID={}\n", attempt["id"].as_str().unwrap())));
        assert!(!environment.contains(&shop.token), "the token is the worker's alone");
        let query =
            "query($id: ID!) { order(by: { id: $id }) { items { nodes { resource { backendId } } } } }";
        let made = shop.app.staff().data(query, json!({ "id": order })).await;
        assert_eq!(made["order"]["items"]["nodes"][0]["resource"]["backendId"], "vm-1");
    }
    kill(worker).await;
    let cursor = std::fs::read_to_string(shop.path("cursor")).expect("a cursor");
    assert!(!cursor.is_empty());
    // It comes back with its cursor, or with one that no server serves.
    for cursor in [cursor.as_str(), "nonsense"] {
        std::fs::write(shop.path("cursor"), cursor).unwrap();
        let order = shop.orders(1).await.remove(0);
        let worker = shop.start(&["--cursor-file", "cursor"]);
        shop.until(&order, "fulfilled").await;
        let later = shop.orders(1).await.remove(0);
        shop.until(&later, "fulfilled").await;
        kill(worker).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_reads_the_inputs_that_staff_handed_in_and_nobody_else_does() {
    let shop = Shop::open().await;
    shop.hook("cat > seen.json; env > env.txt; exit 0").await;
    let order = items::webspaces(&shop.app, 1).await;
    let item = items::lines(&shop.app, &order).await.remove(0);
    let given = json!({ "user": "web7", "password": "of the hook alone" });
    let more = json!({ "inputs": [{ "item": item, "inputs": given }] });
    assert_eq!(items::accept(&shop.app.staff(), &order, more).await["errors"], json!([]));
    let worker = shop.start(&[]);
    let ended = async || shop.attempt(&order).await["outcome"] == "SUCCEEDED";
    shop.app.until("the line is delivered", ended).await;
    kill(worker).await;
    let seen: Value = serde_json::from_slice(&std::fs::read(shop.path("seen.json")).unwrap()).unwrap();
    assert_eq!((&seen["inputs"], &seen["line"]["id"]), (&given, &json!(item)));
    assert!(!std::fs::read_to_string(shop.path("env.txt")).unwrap().contains("of the hook alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_or_crashes_says_why() {
    let shop = Shop::open().await;
    let mut worker = None;
    for (script, category, message, traceback) in [
        ("echo looking >&2; echo no space in rack 7 >&2; exit 10", "CAPACITY", "no space in rack 7", true),
        (
            "echo '{\"category\": \"CONFIGURATION\", \"message\": \"no such image\"}'; exit 1",
            "CONFIGURATION",
            "no such image",
            false,
        ),
        ("exit 3", "OTHER", "the program ended with exit code 3", false),
        ("kill -9 $$", "INFRASTRUCTURE", "the program was killed by signal 9", false),
        ("printf 'a\\000b\\033[1m\\n' >&2; exit 1", "OTHER", "ab[1m", true),
    ] {
        shop.hook(script).await;
        worker.get_or_insert_with(|| shop.start(&[]));
        let order = shop.orders(1).await.remove(0);
        shop.until(&order, "failed").await;
        let error = shop.attempt(&order).await["error"].clone();
        assert_eq!((&error["category"], &error["message"]), (&json!(category), &json!(message)), "{script}");
        assert_eq!(
            error["traceback"].as_str().is_some_and(|text| text.contains(message)),
            traceback,
            "{error}"
        );
    }
    std::fs::remove_file(shop.path("hook")).unwrap();
    let order = shop.orders(1).await.remove(0);
    shop.until(&order, "failed").await;
    let error = shop.attempt(&order).await["error"].clone();
    assert_eq!(error["category"], "INFRASTRUCTURE");
    assert!(error["message"].as_str().unwrap().contains("cannot be started"), "{error}");
    kill(worker.expect("a worker")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_hangs_is_ended_with_all_that_it_started() {
    let shop = Shop::open().await;
    shop.pipe("alive").await;
    // Neither it nor its child ends when it is asked to.
    shop.hook(
        "trap '' TERM; exec 3> alive; echo $$ >&3; echo stuck >&2; sleep 600 & while :; do sleep 600; done",
    )
    .await;
    let order = shop.orders(1).await.remove(0);
    let mut alive = Voice::of(&shop, "alive");
    let worker = shop.start(&["--timeout", "1"]);
    alive.line().await;
    alive.silence().await;
    shop.until(&order, "failed").await;
    let error = json!({ "category": "INFRASTRUCTURE", "message": "the program did not end within 1 seconds",
        "traceback": "stuck" });
    assert_eq!(shop.attempt(&order).await["error"], error);
    kill(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hook_leaves_behind_holds_nobody_up() {
    let shop = Shop::open().await;
    shop.pipe("alive").await;
    shop.pipe("go").await;
    // A child in its group, which is ended with it; and one that has left the group, with the output open.
    shop.hook(
        "(exec 3> alive; echo child >&3; exec sleep 600) & setsid sleep 600 & echo $! > left; \
        read line < go; echo '{\"backendId\": \"vm-7\"}'",
    )
    .await;
    let order = shop.orders(1).await.remove(0);
    let mut alive = Voice::of(&shop, "alive");
    let worker = shop.start(&[]);
    alive.line().await;
    release(&shop, "go").await;
    shop.until(&order, "fulfilled").await;
    alive.silence().await;
    kill(worker).await;
    signal("KILL", std::fs::read_to_string(shop.path("left")).unwrap().trim()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_may_print_a_hundred_megabytes() {
    let shop = Shop::open().await;
    shop.hook(
        "head -c 100000000 /dev/zero | tr '\\000' x; head -c 100000000 /dev/zero >&2; echo; \
        echo '{\"backendId\": \"big\"}'",
    )
    .await;
    let order = shop.orders(1).await.remove(0);
    let worker = shop.start(&[]);
    shop.until(&order, "fulfilled").await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", worker.id().unwrap())).unwrap();
    let most = status.lines().find(|line| line.starts_with("VmHWM")).expect("a line");
    let kilobytes: u64 = most.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kilobytes < 150_000, "{most}");
    kill(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_attempt_of_a_worker_that_was_killed_is_lost_and_runs_again_after_a_retry_alone() {
    let shop = Shop::open().await;
    shop.pipe("alive").await;
    shop.hook(
        "echo $ORDO_ATTEMPT_NUMBER >> runs; [ $ORDO_ATTEMPT_NUMBER = 2 ] && exit 0; exec 3> alive; \
        echo $$ >&3; exec sleep 600",
    )
    .await;
    let order = shop.orders(1).await.remove(0);
    let mut alive = Voice::of(&shop, "alive");
    let worker = shop.start(&[]);
    let first = alive.line().await;
    kill(worker).await;
    let worker = shop.start(&[]);
    // The one that comes after it does not touch what is held, and the program runs on without a master.
    let other = shop.orders(1).await.remove(0);
    let second = alive.line().await;
    assert_eq!(shop.attempt(&order).await["outcome"], "RUNNING");
    kill(worker).await;
    shop.app.world.advance(TimeDelta::seconds(60));
    assert_eq!(lose_expired(&shop.app.inner).await.expect("a sweep"), 2);
    shop.until(&order, "failed").await;
    let error = json!({ "category": "INFRASTRUCTURE", "message": "worker lost", "traceback": null });
    assert_eq!(shop.attempt(&order).await["error"], error);
    for hook in [first, second] {
        signal("KILL", &hook).await;
    }
    let worker = shop.start(&[]);
    shop.app.act(&shop.app.staff(), &order, "retry", json!({})).await;
    shop.until(&order, "fulfilled").await;
    assert_eq!(shop.attempt(&order).await["number"], 2);
    assert_eq!(std::fs::read_to_string(shop.path("runs")).unwrap(), "1\n1\n2\n", "each attempt once");
    assert_eq!(shop.app.staff().status(&other).await.as_deref(), Some("failed"));
    kill(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_has_lost_its_lease_ends_the_hook_and_reports_nothing() {
    let shop = Shop::open().await;
    shop.pipe("alive").await;
    shop.hook("exec 3> alive; echo $$ >&3; sleep 600").await;
    let order = shop.orders(1).await.remove(0);
    let mut alive = Voice::of(&shop, "alive");
    let worker = shop.start(&["--lease", "10"]);
    alive.line().await;
    shop.later(10).await;
    alive.silence().await;
    shop.until(&order, "failed").await;
    assert_eq!(shop.attempt(&order).await["error"]["message"], "worker lost");
    // It works on.
    shop.hook("exit 0").await;
    let next = shop.orders(1).await.remove(0);
    shop.until(&next, "fulfilled").await;
    kill(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_survives_a_restart_of_the_server_in_the_middle_of_a_hook() {
    let shop = Shop::open().await;
    shop.pipe("alive").await;
    shop.pipe("go").await;
    shop.hook("exec 3> alive; echo $$ >&3; read line < go; echo '{\"backendId\": \"vm-7\"}'").await;
    let order = shop.orders(1).await.remove(0);
    let mut alive = Voice::of(&shop, "alive");
    assert_eq!(SECRET, LONG_SECRET.as_bytes());
    let serve = |address: &str| {
        let mut command = ordo(shop.folder.path(), &["--listen", address]);
        command.env("DATABASE_URL", &shop.app.database_url).env("ORDO_JWT_SECRET", LONG_SECRET);
        command
    };
    let server = Server::start(serve("127.0.0.1:0"), "Ordo listens on").await;
    let url = server.url.clone();
    let worker = shop.worker(&url, &[]).spawn().expect("a worker");
    alive.line().await;
    server.stop().await;
    release(&shop, "go").await;
    alive.silence().await;
    let server = Server::start(serve(url.trim_start_matches("http://")), "Ordo listens on").await;
    shop.until(&order, "fulfilled").await;
    // Its feed is open again.
    let next = shop.orders(1).await.remove(0);
    alive.line().await;
    release(&shop, "go").await;
    shop.until(&next, "fulfilled").await;
    kill(worker).await;
    server.stop().await;
    assert!(shop.path(LOG).is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_hooks_run_at_once_than_were_allowed() {
    let shop = Shop::open().await;
    shop.pipe("alive").await;
    shop.pipe("go").await;
    shop.hook("echo + >> count; exec 3> alive; echo $ORDO_ORDER_ID >&3; read line < go; echo - >> count")
        .await;
    let orders = shop.orders(5).await;
    let mut alive = Voice::of(&shop, "alive");
    let worker = shop.start(&["--jobs", "2"]);
    let first = [alive.line().await, alive.line().await];
    let waiting = "{ orders(where: { awaitsWorker: true }) { nodes { id } } }";
    let found = shop.app.worker().data(waiting, json!({})).await;
    assert_eq!(found["orders"]["nodes"].as_array().map(Vec::len), Some(3));
    let mut done: Vec<String> = first.into();
    while done.len() < orders.len() {
        release(&shop, "go").await;
        done.push(alive.line().await);
    }
    let all = async {
        for order in &orders {
            shop.until(order, "fulfilled").await;
        }
    };
    let release = async {
        loop {
            release(&shop, "go").await;
        }
    };
    tokio::select! {
        () = all => {}
        () = release => {}
    }
    let (mut now, mut most) = (0, 0);
    for step in std::fs::read_to_string(shop.path("count")).unwrap().lines() {
        now += if step == "+" { 1 } else { -1 };
        most = most.max(now);
    }
    assert_eq!((now, most), (0, 2));
    kill(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_stop_takes_nothing_more_and_ends_its_hooks_in_time() {
    let shop = Shop::open().await;
    shop.pipe("alive").await;
    shop.hook("exec 3> alive; echo $$ >&3; sleep 600").await;
    let order = shop.orders(1).await.remove(0);
    let mut alive = Voice::of(&shop, "alive");
    let mut worker = shop.start(&["--drain", "0"]);
    alive.line().await;
    signal("TERM", &worker.id().expect("it runs").to_string()).await;
    let ended = timeout(PATIENCE, worker.wait()).await.expect("an end in time").expect("a status");
    assert!(ended.success(), "{ended}");
    alive.silence().await;
    shop.until(&order, "failed").await;
    let error = shop.attempt(&order).await["error"].clone();
    assert_eq!(error["message"], "the worker was stopped before the program was done");
    // One that is let finish.
    shop.pipe("go").await;
    shop.hook("exec 3> alive; echo $$ >&3; read line < go; exit 0").await;
    let order = shop.orders(1).await.remove(0);
    let mut worker = shop.start(&[]);
    alive.line().await;
    signal("TERM", &worker.id().expect("it runs").to_string()).await;
    let waits = shop.orders(1).await.remove(0);
    release(&shop, "go").await;
    let ended = timeout(PATIENCE, worker.wait()).await.expect("an end in time").expect("a status");
    assert!(ended.success(), "{ended}");
    shop.until(&order, "fulfilled").await;
    assert_eq!(shop.app.staff().status(&waits).await.as_deref(), Some("payment_confirmed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_work_says_why_in_a_sentence() {
    let shop = Shop::open().await;
    shop.hook("exit 0").await;
    let url = &shop.app.url;
    let with = |token: Option<&str>, more: &[&str]| {
        let mut command = ordo(shop.folder.path(), &["worker", "--url", url]);
        command.args(more);
        token.map(|token| command.env("ORDO_WORKER_TOKEN", token));
        command
    };
    std::fs::write(shop.path("token"), "\n").unwrap();
    let hook = ["--exec", "./hook"];
    for (command, said) in [
        (with(None, &hook), "ordo: a service token is needed: --token-file, or ORDO_WORKER_TOKEN"),
        (with(Some("nonsense"), &hook), "ordo: the server will not have this worker: "),
        (with(None, &[&hook[..], &["--token-file", "token"]].concat()), "ordo: the service token is empty"),
        (
            with(None, &[&hook[..], &["--token-file", "none"]].concat()),
            "ordo: the token file none cannot be read",
        ),
        (with(Some("x"), &["--exec", "./none"]), "ordo: --exec ./none cannot be used"),
        (
            with(Some("x"), &["--exec", "./hook", "--cursor-file", "."]),
            "ordo: the cursor file . cannot be read",
        ),
    ] {
        let output = run(command).await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.lines().any(|line| line.starts_with(said)), "{said}: {told}");
        assert!(!told.contains("nonsense"), "{told}");
    }
    let twice = ordo(shop.folder.path(), &["worker", "--exec", "./hook", "--jobs", "0"]);
    assert_eq!(run(twice).await.status.code(), Some(2));
    // A token in a file; what is made then is no matter here.
    std::fs::write(shop.path("token"), format!("{}\n", shop.token)).unwrap();
    let order = shop.orders(1).await.remove(0);
    let more = [&hook[..], &["--token-file", "token"]].concat();
    let worker = with(None, &more).stderr(Stdio::null()).spawn().expect("a worker");
    shop.until(&order, "fulfilled").await;
    kill(worker).await;
}
