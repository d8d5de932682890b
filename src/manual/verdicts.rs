//! Verdicts: what they depend on, and what is remembered until when.
//!
//! # What a verdict is a function of
//!
//! Repository, digest, requirement, the evidence about the digest and about every index that reaches it, trust and
//! policy, and time. `Registry::verdict` remembers one under `VerdictKey` (repository, digest, requirement, and the
//! requirement's serial) together with the *generation* and the moment until which time alone can't change it, either
//! way. Many callers at once judge once.
//!
//! # Three numbers
//!
//! | number | grows | kept | says |
//! |---|---|---|---|
//! | serial | with each revision; a requirement's only with one that touches it or a signer of its, trust's only with one that changes a signer | process | which trust, requirements and policy |
//! | epoch | with each commit to the repository (1024 of them, shared by hash) | process | *something* changed; look again |
//! | generation | with each change of evidence, ancestors or the manifest itself | metadata | whether *this digest's* inputs changed |
//!
//! An epoch costs one atomic read. When it moved, [`Metadata::generation`] is asked: the newest change that concerns the
//! digest or one of its ancestors. If that is the same, the verdict stands and takes the new epoch. A collision of
//! epochs costs a second look and never a stale answer. The epoch is read *before* the inputs, and advanced after the
//! commit and before it is acknowledged; so whoever was told of a signature gets the verdict with it.
//!
//! Generations stay when a manifest goes, so a number never comes back with another meaning.
//! (The generation of a *stored blob*, in its file's name, is another thing: see [`super::storage`].)
//!
//! # What is remembered
//!
//! | what | by | until |
//! |---|---|---|
//! | everything that someone may do in a repository | who, repository | the revision goes |
//! | what one piece of evidence shows | repository, evidence, serial of trust | something in it expires |
//! | a verdict | `VerdictKey` | its generation changes, or time is up |
//! | the answer to a pull | repository, reference, the caller's terms | serial or epoch move, or time is up |
//! | who sent a credential | a keyed hash of the header | the users are loaded anew |
//!
//! All are bounded; what is dropped is judged again. None outlives the process. What does is in the metadata: which
//! requirements a digest ever met, which evidence verified once, what is still to be judged, and the last good revision.
//!
//! # Tags that resolve per caller
//!
//! A tag keeps its newest pushes (`tag_history`). Whoever may pull `unverified` sees the newest; so does `sign` alone.
//! Under an enforced requirement a pull resolves to the newest push that meets one of the caller's requirements, and
//! skips those that have not met one *yet*. With `tag_fallback = "deny"` that requirement skips nothing. Modes `warn`
//! and `audit` look at the newest push alone, and serve it with or without a `Warning`; the log line of such an answer says
//! in `unmet` what was not met.
//!
//! # Met and lost
//!
//! A push that met a requirement and does no longer (a key was taken away, evidence was deleted) is refused and never
//! skipped: nobody is silently taken back to an older release. To know it, [`Metadata::record_met`] is durable *before*
//! anyone is told that the requirement is met, and what may have begun to meet one is judged without being asked for:
//!
//! - when an object or evidence is stored: in the request, and by the queue if that fails;
//! - before a revision is swapped in ([`Registry::swap`]): every digest that has evidence, with what it reaches, under
//!   the requirements that the revision touches or begins to ask for there. Without evidence nothing is met, and what is
//!   known to have met a requirement is not asked again. A revision waits ten seconds for it at the most, for it may take
//!   a key away; the rest is judged in the background, and a start goes on with it. A start on the revision that was in
//!   force before has nothing to judge.
//! - by time alone: a verdict tells from when on it may change, and the digest is judged again at that moment.
//!
//! What can't be judged, because its evidence can't be read, is tried again each 30 seconds. What comes while a revision
//! is swapped in is judged under that one: it may have come after its subject was passed by.
//!
//! It is noted by the requirement's name, and forgotten with the manifest. A requirement that no line names in the
//! repository any more was replaced by what is asked for now: having met it counts as having met that.
//!
//! # Which requirement is judged
//!
//! With an enforced requirement among those granted, only enforced ones count for that person there: a requirement that
//! merely warns never lets something past one that refuses. No tag is set, and nothing is protected, by one that is not
//! enforced.
//!
//! # Differs from the first drawing
//!
//! - The hint "sign the index" is made when a refusal is told, outside the verdict: evidence about children changes no
//!   verdict of their index, so it must not be part of what is remembered.
//! - The generation of a digest's ancestors is folded into one number by the metadata, instead of a key of many parts.
//!
//! [`Metadata::generation`]: crate::metadata::Metadata::generation
//! [`Metadata::record_met`]: crate::metadata::Metadata::record_met
//! [`Registry::swap`]: crate::registry::Registry::swap
