//! One word for one thing.
//!
//! *Grant / deny* is said of access, *admit / withhold* of trust, *verify* of cryptography, *check* of our own
//! invariants.
//!
//! | word | is | in code |
//! |---|---|---|
//! | access | everything that one person may do in one repository, under one revision | [`Access`](crate::authz::Access) |
//! | action | `pull`, `push` (includes `sign`), `sign`, `delete`, `promote`, `admin` | [`Action`](crate::gate::Action) |
//! | admitted | content that may be served to the caller who asked | [`Admitted`](crate::registry::Admitted) |
//! | allowed | a grant with the revision that it was decided under | [`Allowed`](crate::registry::Allowed) |
//! | cases | the policy's own tests, run at each load | `policies/cases.csv` |
//! | data | an attachment of a listed type that nobody can run, such as an SBOM | [`Kind::Data`](crate::metadata::Kind::Data) |
//! | degraded | the files were refused, the last good revision is in force | [`Condition`](crate::http::Condition) |
//! | epoch | a number that says that something in a repository changed | [`super::verdicts`] |
//! | evidence | a manifest in one of cosign's or notation's shapes | [`Kind::Evidence`](crate::metadata::Kind::Evidence) |
//! | explanation | a requirement with its answer for one digest, met or not, told in full; `hallmark explain` and `hallmark verify` tell it, a refusal is one that is unmet | [`Explanation`](crate::gate::Explanation), [`Account`](crate::registry::Account) |
//! | falsehood | what is wrong with evidence under any trust and at any time | [`Falsehood`](crate::verify::Falsehood) |
//! | finding | what one signature in a piece of evidence shows | [`Finding`](crate::gate::Finding) |
//! | generation of a digest | the newest change that concerns it or what reaches it | [`Metadata::generation`](crate::metadata::Metadata::generation) |
//! | generation of a blob | the number in its file's name, never used twice | [`Metadata::reserve`](crate::metadata::Metadata::reserve) |
//! | grant | the right to an action, made by the decision alone | [`Grant`](crate::authz::Grant) |
//! | guard rail | a requirement's `protects`: no weaker `pull` may be granted there | [`guard`](crate::authz::guard) |
//! | holder | a manifest that holds a blob or another manifest | [`Holder`](crate::metadata::Holder) |
//! | hint | what would make a requirement pass: whose signature, and how many more | [`Explanation`](crate::gate::Explanation) |
//! | identity | what a threshold counts once | [`Identity`](crate::gate::Identity) |
//! | insight | leave to be told what someone may do in a repository, and why | [`Insight`](crate::registry::Insight) |
//! | lease | until when a blob stays that no manifest holds | [`super::storage`] |
//! | met | the verdict that a requirement is satisfied; remembered for ever as "was met" | [`Verdict`](crate::gate::Verdict) |
//! | mistake | what is wrong in a user's file, with its line | [`Mistake`](crate::mistake::Mistake) |
//! | mode | how a requirement is applied: enforce, warn, audit | [`Mode`](crate::gate::Mode) |
//! | object | a manifest or index that someone could run or use | [`Kind::Object`](crate::metadata::Kind::Object) |
//! | pending | a push of a tag that has not met a requirement *yet* | [`TagFallback`](crate::requirements::TagFallback) |
//! | push of a tag | one setting of it, remembered in its history | [`Push`](crate::metadata::Push) |
//! | reach | what an index admits: through `manifests`, `config`, `layers`, never `subject` | [`Metadata::ancestors`](crate::metadata::Metadata::ancestors) |
//! | refusal | an answer that is no | [`Refusal`](crate::http::Refusal) |
//! | requirement | a named condition over signers and attestations | [`Requirement`](crate::requirements::Requirement) |
//! | revision | trust, requirements and policy, loaded and swapped as one | [`Revision`](crate::registry::Revision) |
//! | signer | a named identity in the trust store | [`Signer`](crate::trust::Signer) |
//! | statement | an entry of notation's trust policy: what it trusts, and in which repositories | [`Statement`](crate::trust::Statement) |
//! | subject | the digest that evidence, data or a referrer is about; in the policy, who a line is about | |
//! | terms | what a pull shows to a caller | [`PullTerms`](crate::authz::PullTerms) |
//! | `unverified` | the requirement that everything meets | [`RequirementName`](crate::gate::RequirementName) |
//! | verdict | whether a digest meets a requirement now, until when, and else why not | [`Verdict`](crate::gate::Verdict) |
//! | view | a repository's OCI layout on disk | [`LayoutView`](crate::store::LayoutView) |
//! | who | `user:<name>` or `anonymous`; other kinds come later | [`Who`](crate::gate::Who) |
//! | withheld | there, and not admitted to this caller | [`Withheld`](crate::registry::Withheld) |
