//! One case: what is trusted, how something was signed, and what must come of it.

use serde_json::{Value, json};

use crate::forge::{Authority, Forge, Format, LeafSpec, SigningCertificate, Target};
use crate::harness::{ACME, HOSTNAME, IMAGE, INDEX, Image, Index, Person, Registry, Setup, authority, leaf, sound};

/// What comes of a case.
#[derive(Clone, Copy, Debug)]
enum Comes {
    /// The requirement is met.
    Met,
    /// It is not, and these words say why.
    Unmet(&'static [&'static str]),
    /// The signature is false under any trust: it is not even kept, and these words say why.
    RefusedAtPush(&'static [&'static str]),
}

/// What notation's own verifier says of a case.
#[derive(Clone, Copy, Debug)]
enum Notation {
    /// The same.
    Agrees,
    /// It accepts what Hallmark does not, and why.
    IsLaxer(&'static str),
    /// It refuses what Hallmark does not, and why.
    IsStricter(&'static str),
    /// It is not asked.
    HasNoSay,
}

/// Signs `prod/app@<digest>` with a client.
type Signs = fn(&Person<'_>, &str);

/// A row of the table.
pub(super) struct Case {
    setup: Setup,
    authority: Authority,
    certificate: SigningCertificate,
    children: Vec<Image>,
    index: Option<Index>,
    judged: Target,
    forged: Vec<(Forge, Target)>,
    signed: Vec<Signs>,
    comes: Comes,
    notation: Notation,
}

impl Case {
    /// Acme's authority is trusted and asked for; nobody has signed the one image yet.
    pub(super) fn new() -> Self {
        let (authority, image) = (authority(), Image::of("a release"));
        Self {
            setup: Setup::notation(&authority.root_pem()),
            certificate: authority.issue(&leaf(ACME)),
            authority,
            judged: Target::of(IMAGE, image.bytes()),
            children: vec![image],
            index: None,
            forged: Vec::new(),
            signed: Vec::new(),
            comes: Comes::Met,
            notation: Notation::Agrees,
        }
    }

    /// The same under a cosign key and no authority; `conditions` are what is required of `release` and `next`.
    pub(super) fn of_cosign(conditions: &str) -> Self {
        let mut setup = Setup { hostname: Some(HOSTNAME), ..Setup::release() }.requires(conditions);
        setup.aliases.clear();
        Self { setup, ..Self::new() }
    }

    /// With other files.
    pub(super) fn set(mut self, edit: impl FnOnce(&mut Setup)) -> Self {
        edit(&mut self.setup);
        self
    }

    /// With another trust policy.
    pub(super) fn statement(self, field: &str, value: Value) -> Self {
        self.set(|setup| setup.statement()[field] = value)
    }

    /// Where the statement lists `store` too, which holds the authority.
    pub(super) fn listing(self, store: &str) -> Self {
        let root = self.authority.root_pem();
        let file = format!("{}/root.pem", store.replace(':', "/"));
        self.set(|setup| {
            setup.certificates.push((file, root));
            setup.statement()["trustStores"].as_array_mut().unwrap().push(store.into());
        })
    }

    /// With other conditions on the signers.
    pub(super) fn requires(mut self, conditions: &str) -> Self {
        self.setup = self.setup.requires(conditions);
        self
    }

    /// With another authority that is trusted and issues who signs.
    pub(super) fn under(mut self, authority: Authority) -> Self {
        self.setup.certificates = vec![("ca/acme/root.pem".to_owned(), authority.root_pem())];
        self.certificate = authority.issue(&leaf(ACME));
        self.authority = authority;
        self
    }

    /// With another certificate that the authority issued.
    pub(super) fn leaf(mut self, edit: impl FnOnce(LeafSpec) -> LeafSpec) -> Self {
        self.certificate = self.authority.issue(&edit(leaf(ACME)));
        self
    }

    /// With another certificate.
    pub(super) fn with(mut self, certificate: SigningCertificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// With this in the trust store in place of the authority.
    pub(super) fn storing(self, pem: impl FnOnce(&SigningCertificate) -> String) -> Self {
        let pem = pem(&self.certificate);
        self.set(|setup| setup.certificates = vec![("ca/acme/root.pem".to_owned(), pem)])
    }

    /// With the certificates of the chain in another order.
    pub(super) fn chain(mut self, order: &[usize]) -> Self {
        self.certificate.chain = order.iter().map(|&place| self.certificate.chain[place].clone()).collect();
        self
    }

    /// With a sound signature in this envelope.
    pub(super) fn signed(self, format: Format) -> Self {
        self.forged(&[format], |forge| forge)
    }

    /// With a signature in each of these envelopes, each altered.
    pub(super) fn forged(mut self, formats: &[Format], edit: impl Fn(Forge) -> Forge) -> Self {
        for &format in formats {
            let forge = edit(sound(format, &self.certificate, &self.judged));
            self.forged.push((forge, self.judged.clone()));
        }
        self
    }

    /// With signatures in both envelopes whose payload describes the image with `field` altered.
    pub(super) fn describing(self, field: &str, value: Value) -> Self {
        let target = &self.judged;
        let mut described = json!({ "mediaType": target.media_type, "digest": target.digest, "size": target.size });
        described[field] = value;
        self.forged(&Format::ALL, |forge| forge.payload(&json!({ "targetArtifact": described })))
    }

    /// With an index over the image and another; the index is what is signed from here on.
    pub(super) fn indexed(mut self) -> Self {
        self.children.push(Image::for_platform("arm64", "a release"));
        let entries: Vec<_> = self.children.iter().map(|image| (image, json!({}))).collect();
        let index = Index::of(&entries);
        self.judged = Target::of(INDEX, index.bytes());
        self.index = Some(index);
        self
    }

    /// Where the second image of the index is what is asked for.
    pub(super) fn asked_for_a_child(mut self) -> Self {
        self.judged = Target::of(IMAGE, self.children[1].bytes());
        self
    }

    /// Where the index is what is asked for.
    pub(super) fn asked_for_the_index(mut self) -> Self {
        self.judged = Target::of(INDEX, self.index.as_ref().unwrap().bytes());
        self
    }

    /// Signed with a client.
    pub(super) fn by(mut self, signs: Signs) -> Self {
        self.signed.push(signs);
        self
    }

    // --- what comes of it

    pub(super) fn met(self) -> Self {
        Self { comes: Comes::Met, ..self }
    }

    pub(super) fn unmet(self, words: &'static [&'static str]) -> Self {
        Self { comes: Comes::Unmet(words), ..self }
    }

    pub(super) fn refused_at_push(self, words: &'static [&'static str]) -> Self {
        // There is nothing that notation could read.
        Self { comes: Comes::RefusedAtPush(words), notation: Notation::HasNoSay, ..self }
    }

    pub(super) fn notation_accepts(self, why: &'static str) -> Self {
        Self { notation: Notation::IsLaxer(why), ..self }
    }

    pub(super) fn notation_refuses(self, why: &'static str) -> Self {
        Self { notation: Notation::IsStricter(why), ..self }
    }

    /// Where nothing that notation knows of decides.
    pub(super) fn notation_has_no_say(self) -> Self {
        Self { notation: Notation::HasNoSay, ..self }
    }

    // --- what is done with it

    /// The gate, `hallmark explain`, and `hallmark verify` on the registry and on its folder say what is expected, in
    /// the same words.
    #[track_caller]
    pub(super) fn is_judged_as_expected(&self) {
        let mut registry = Registry::start(&self.setup);
        self.is_pushed(&registry);
        let gate = self.asks_the_gate(&registry.person("deploy"));
        let explained = self.asks_for_an_explanation(&registry.person("deploy"));
        let through = self.index.as_ref().map(|index| format!("{HOSTNAME}/prod/app@{}", index.digest()));
        let flags: Vec<_> = through.iter().flat_map(|through| ["--through", through]).collect();
        let by_http = self.asks_the_command(&registry.person("ci"), &flags);
        assert!(registry.stops().success(), "expected a clean stop\n{}", registry.log());
        let layout = registry.file("data/prod/app");
        let on_disk = self.asks_the_command(&registry.person("ci"), &["--layout", layout.to_str().unwrap()]);

        assert_eq!(gate["met"], matches!(self.comes, Comes::Met), "of the gate, which told {gate:#}");
        let words = match self.comes {
            Comes::Met => &[][..],
            Comes::Unmet(words) => words,
            Comes::RefusedAtPush(_) => &["no signature was found"],
        };
        let all = [("the gate", &gate), ("explain", &explained), ("verify", &by_http), ("verify --layout", &on_disk)];
        for (asked, told) in all {
            assert_eq!(told["met"], gate["met"], "of {asked}, which told {told:#}");
            for word in words {
                assert!(said(told).contains(word), "expected {asked} to say {word:?}, found {}", said(told));
            }
        }
        for (asked, told) in all.into_iter().skip(1) {
            // Nobody can tell from outside by which index something came, so there is more to try.
            let hint = |told: &Value| told["hint"].as_str().unwrap_or_default().to_owned();
            assert!(hint(told).starts_with(&hint(&gate)), "expected {asked} to hint as the gate, found {told:#}");
            for what in ["reason", "conditions", "evidence"] {
                assert_eq!(told[what], explained[what], "expected the same {what} of {asked} as of explain");
                assert!(gate["met"] == true || told[what] == gate[what], "expected the {what} of the gate of {asked}");
            }
        }
    }

    /// `notation verify` says what the table expects of it.
    #[track_caller]
    pub(super) fn is_judged_by_notation_as_expected(&self) {
        let met = matches!(self.comes, Comes::Met);
        let (expected, why) = match self.notation {
            Notation::Agrees => (met, "as Hallmark does"),
            Notation::IsLaxer(why) | Notation::IsStricter(why) => (!met, why),
            Notation::HasNoSay => return,
        };
        let registry = Registry::start(&self.setup);
        self.is_pushed(&registry);
        let ran = registry.person("ci").notation_verify(&format!("prod/app@{}", self.judged.digest)).run();
        let verb = if expected { "accept it" } else { "refuse it" };
        assert_eq!(ran.code() == 0, expected, "expected notation to {verb}: {why}\n{ran}");
    }

    #[track_caller]
    fn is_pushed(&self, registry: &Registry) {
        let [ci, signer] = registry.people(["ci", "signer"]);
        for image in &self.children {
            ci.pushes_image("prod/app", image);
        }
        if let Some(index) = &self.index {
            ci.put_manifest("prod/app", &index.digest(), INDEX, index.bytes()).is(201);
        }
        for (forge, subject) in &self.forged {
            let answer = signer.pushes_signature("prod/app", forge, subject);
            match self.comes {
                Comes::RefusedAtPush(words) => answer.refuses(400, "MANIFEST_INVALID", words),
                Comes::Met | Comes::Unmet(_) => answer.is(201),
            };
        }
        for signs in &self.signed {
            signs(&signer, &format!("prod/app@{}", self.judged.digest));
        }
    }

    /// What the gate says: nothing but that it is met, or the detail of the refusal.
    #[track_caller]
    fn asks_the_gate(&self, deploy: &Person<'_>) -> Value {
        let answer = deploy.manifest("prod/app", &self.judged.digest);
        if answer.status() == 200 {
            return json!({ "met": true });
        }
        let body = answer.refuses(403, "DENIED", &["signed-release"]).json();
        let mut detail = body["errors"][0]["detail"]["requirements"][0].clone();
        detail["met"] = false.into();
        in_order(detail)
    }

    /// What `hallmark explain` tells deploy; its exit code must say the same.
    #[track_caller]
    fn asks_for_an_explanation(&self, deploy: &Person<'_>) -> Value {
        let ran = deploy.hallmark_explain(&format!("prod/app@{}", self.judged.digest));
        let told: Value = serde_json::from_str(&ran.stdout()).unwrap_or_else(|error| panic!("{error}\n{ran}"));
        let code = i32::from(told["allowed"] == false);
        assert_eq!(ran.code(), code, "expected the exit code to say what is explained\n{ran}");
        let requirement = told["requirements"][0].clone();
        assert_eq!(requirement["met"], told["allowed"], "expected the one requirement to decide\n{ran}");
        in_order(requirement)
    }

    /// What `hallmark verify` explains; its exit code must say the same.
    #[track_caller]
    fn asks_the_command(&self, ci: &Person<'_>, flags: &[&str]) -> Value {
        let ran = ci.hallmark_verify("signed-release", flags, &format!("prod/app@{}", self.judged.digest));
        let told: Value = serde_json::from_str(&ran.stdout()).unwrap_or_else(|error| panic!("{error}\n{ran}"));
        let explanation = told["explanation"].clone();
        let code = match explanation["met"].as_bool() {
            Some(true) => 0,
            Some(false) => 1,
            None => panic!("expected an explanation\n{ran}"),
        };
        assert_eq!(ran.code(), code, "expected the exit code to say what is explained\n{ran}");
        in_order(explanation)
    }
}

/// The same, with the evidence in the order of its digests.
fn in_order(mut told: Value) -> Value {
    told["evidence"].as_array_mut().unwrap().sort_by_key(|finding| finding["evidence"].to_string());
    told
}

/// Why, in words: of the whole, of each part, and of each piece of evidence.
fn said(told: &Value) -> String {
    let words = |finding: &Value| format!("{}, {}", finding["outcome"]["expected"], finding["outcome"]["found"]);
    let words: Vec<_> = told["evidence"].as_array().into_iter().flatten().map(words).collect();
    format!("{}\n{}\n{}\n{}", told["reason"], told["conditions"], words.join("\n"), told["hint"])
}
