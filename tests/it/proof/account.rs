//! Getting in and out, on accounts of their own, so that everybody else stays in: what a log-in tells is
//! its owner's, and neither addresses nor tokens tell which accounts there are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Operation, Proof,
    alike::Pair,
    mutate::succeeded,
    sdl::Field,
    tree::Branch,
    world::{Viewer, World},
};
use crate::harness::Client;

/// How deep a session is read.
const DEEP: usize = 12;

const FIRST: &str = "correct horse battery";
const SECOND: &str = "wrong horse battery";

impl Proof {
    /// Every guest is given a password, logs in, stays in, changes the password, and logs out; the fields
    /// that were carried out.
    pub async fn log_in_and_out(&mut self) -> BTreeSet<String> {
        for guest in self.world.guests.clone() {
            self.visit(&guest).await;
        }
        self.knock().await;
        ["passwordResetToken", "passwordReset", "login", "refresh", "passwordChange", "logout"]
            .map(str::to_owned)
            .into()
    }

    async fn visit(&mut self, guest: &Viewer) {
        let (admin, nobody) = (self.world.viewer("admin").client.clone(), self.app.anonymous());
        let out = (guest.name, &nobody);
        let user = json!({ "user": guest.user.to_string() });
        let given = self.carry(("admin", &admin), "passwordResetToken", user).await;
        let reset = |token: &Value| json!({ "token": token, "new": FIRST });
        self.carry(out, "passwordReset", reset(&given["token"])).await;
        self.alike(out, "passwordReset", [reset(&given["token"]), reset(&forged(&given["token"]))]).await;

        let email = self.world.email_of(guest.user);
        let login = json!({ "email": email, "password": FIRST });
        let other = self.carry(out, "login", login.clone()).await["session"].clone();
        let begun = self.carry(out, "login", login).await["session"].clone();
        let renewal = |session: &Value| json!({ "refreshToken": session["refreshToken"] });
        let session = self.carry(out, "refresh", renewal(&begun)).await["session"].clone();
        let access = session["accessToken"].as_str().expect("a token").to_owned();
        let client = Client::new(&self.app.url, Some(access));
        let inside = (guest.name, &client);
        let change = json!({ "current": FIRST, "new": SECOND });
        self.carry(inside, "passwordChange", change).await;
        // The change ended the other session.
        let nothing = json!({ "refreshToken": forged(&other["refreshToken"]) });
        for field in ["refresh", "logout"] {
            self.alike(out, field, [renewal(&other), nothing.clone()]).await;
        }
        self.carry(inside, "logout", json!({})).await;
        let answer = client.send("{ viewer { user { name } } }", json!({})).await;
        assert_eq!(answer.codes(), ["UNAUTHENTICATED"], "{} is out", guest.name);
    }

    /// Whoever knocks with a wrong password is not told who lives there: somebody with a password, somebody
    /// without, a machine, or nobody.
    async fn knock(&mut self) {
        let world = &self.world;
        let known = [world.guests[1].user, world.viewer("approverB").user];
        let machine = format!("service-{}@service.invalid", world.machines[1].account.0);
        let emails: Vec<String> =
            known.map(|user| world.email_of(user)).into_iter().chain([machine]).collect();
        let (stranger, nobody) = (world.viewer("consumerA").client.clone(), self.app.anonymous());
        for email in emails {
            let knock = |email: &str| json!({ "email": email, "password": "an open sesame" });
            for who in [("anonymous", &nobody), ("consumerA", &stranger)] {
                let pair = [knock(&email), knock("nobody@example.test")];
                self.compare_inputs(who, "login", pair, true).await;
            }
        }
        // Nobody gives out what opens a machine's account, or one that does not exist.
        let admin = self.world.viewer("admin").client.clone();
        let account = self.world.machines[0].account.to_string();
        let missing = World::missing(&self.app, &account);
        let pair = [account, missing].map(|user| json!({ "user": user }));
        self.compare_inputs(("admin", &admin), "passwordResetToken", pair, true).await;
    }

    /// Carries a mutation out, and reads all of its payload.
    pub(super) async fn carry(&mut self, who: (&'static str, &Client), field: &str, input: Value) -> Value {
        let root = self.mutation(field);
        let branch =
            Branch::full(&self.sdl, "Mutation", &root, DEEP).asking("(input: $input)".to_owned(), None);
        let mut parts = branch.parts();
        let branch = parts.pop().filter(|_| parts.is_empty()).expect("one document");
        let head = format!("mutation($input: {})", root.arguments[0].ty.text);
        let input_type = &root.arguments[0].ty.name;
        let fields = input.as_object().expect("an input").keys();
        let fills = fields.map(|name| format!("{input_type}.{name}")).collect();
        let variables = json!({ "input": input });
        let body = self.ask(who, &Operation { branch, head, variables, fills }).await;
        assert!(succeeded(&body, &root), "{} cannot {field}: {body}", who.0);
        body["data"][field].clone()
    }

    /// The bodies of both are the same.
    async fn alike(&mut self, who: (&'static str, &Client), field: &str, inputs: [Value; 2]) {
        self.compare_inputs(who, field, inputs, false).await;
    }

    async fn compare_inputs(
        &mut self,
        (name, client): (&'static str, &Client),
        field: &str,
        inputs: [Value; 2],
        counted: bool,
    ) {
        let root = self.mutation(field);
        let branch = Branch::full(&self.sdl, "Mutation", &root, 2).asking("(input: $input)".to_owned(), None);
        let document = branch.document(&format!("mutation($input: {})", root.arguments[0].ty.text));
        let variables = inputs.map(|input| json!({ "input": input }));
        let pair = Pair { document, place: field.to_owned(), variables, counted };
        self.compare(name, client, &pair).await;
    }

    fn mutation(&self, field: &str) -> Field {
        let root = self.sdl.roots("Mutation").iter().find(|root| root.name == field);
        root.unwrap_or_else(|| panic!("no mutation {field}")).clone()
    }
}

/// The same token with another proof.
fn forged(token: &Value) -> Value {
    let text = token.as_str().expect("a token");
    let middle = text.len() / 2;
    let other = if text.as_bytes()[middle] == b'A' { "B" } else { "A" };
    json!(format!("{}{other}{}", &text[..middle], &text[middle + 1..]))
}
