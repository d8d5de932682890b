-- Digests are the 32 or 64 bytes of their hash. Times are microseconds since 1970. `who` is as displayed.

-- One number that grows with every change (`change`), how often the file was opened (`epoch`), and what
-- `/metrics` counts, kept by the triggers below; but who deletes tags counts them, for many go at once.
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES
  ('change', 0), ('epoch', 0),
  ('repositories', 0), ('manifests', 0), ('tags', 0), ('blobs', 0), ('blob_bytes', 0), ('uploads', 0);

CREATE TABLE repositories (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE uploads (
  id BLOB PRIMARY KEY,
  repository TEXT NOT NULL,                 -- a name: a session alone makes no repository
  who TEXT NOT NULL,
  sign_only INTEGER NOT NULL,
  whole INTEGER NOT NULL,                   -- whole or nothing: ends with the process
  offset INTEGER NOT NULL,
  algorithm TEXT NOT NULL,
  hash BLOB NOT NULL,
  at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_at ON uploads (at);
CREATE INDEX uploads_sign_only ON uploads (who) WHERE sign_only = 1;
CREATE INDEX uploads_whole ON uploads (id) WHERE whole = 1;

-- Keys that bytes are about to be sealed under. The commit that names a key deletes its row.
CREATE TABLE intents (key TEXT PRIMARY KEY, upload BLOB NOT NULL) WITHOUT ROWID;

-- The one live key of each content, whichever repositories have it.
CREATE TABLE contents (digest BLOB PRIMARY KEY, key TEXT NOT NULL UNIQUE, size INTEGER NOT NULL) WITHOUT ROWID;

-- Keys that nothing names any more. `removed` is null while the bytes are there, 0 when they were removed, then the
-- moment of the first sweep after that: a commit that still holds the key is told that it is gone.
CREATE TABLE trash (key TEXT PRIMARY KEY, removed INTEGER) WITHOUT ROWID;
CREATE INDEX trash_waiting ON trash (key) WHERE removed IS NULL;
CREATE INDEX trash_removed ON trash (removed) WHERE removed IS NOT NULL;

-- `lease` is null exactly while a manifest of the repository holds the blob.
CREATE TABLE blobs (
  repository INTEGER NOT NULL,
  digest BLOB NOT NULL,
  lease INTEGER,
  PRIMARY KEY (repository, digest)
) WITHOUT ROWID;
CREATE INDEX blobs_digest ON blobs (digest, repository);
CREATE INDEX blobs_unheld ON blobs (repository, lease) WHERE lease IS NOT NULL;
CREATE INDEX blobs_lease ON blobs (lease) WHERE lease IS NOT NULL;

-- What was found not to be what its name says. `repository` is 0 for content, which all repositories share, else that of
-- the manifest, whose `key` is null.
CREATE TABLE quarantine (
  repository INTEGER NOT NULL,
  digest BLOB NOT NULL,
  key TEXT,
  why TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (repository, digest)
) WITHOUT ROWID;

-- The pass of the scrub that is under way, or the last one.
CREATE TABLE scrub (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  began INTEGER NOT NULL,
  ended INTEGER,
  content BLOB,
  manifest INTEGER NOT NULL,
  objects INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  quarantined INTEGER NOT NULL,
  repaired INTEGER NOT NULL,
  unnamed INTEGER NOT NULL,
  unchecked INTEGER NOT NULL
);

CREATE TABLE uploaders (
  repository INTEGER NOT NULL,
  digest BLOB NOT NULL,
  who TEXT NOT NULL,
  PRIMARY KEY (repository, digest, who)
) WITHOUT ROWID;

CREATE TABLE manifests (
  id INTEGER PRIMARY KEY,
  repository INTEGER NOT NULL,
  digest BLOB NOT NULL,
  media_type TEXT NOT NULL,
  artifact_type TEXT,
  annotations TEXT NOT NULL,                -- JSON
  kind TEXT NOT NULL,                       -- 'object', 'data', or the shape of evidence
  subject BLOB,
  is_referrer INTEGER NOT NULL,
  verified INTEGER NOT NULL DEFAULT 0,
  orphan_lease INTEGER,                     -- null unless the subject never came
  who TEXT NOT NULL,
  at INTEGER NOT NULL,
  bytes BLOB NOT NULL                       -- last: the rest is read without it
);
CREATE UNIQUE INDEX manifests_digest ON manifests (repository, digest);
CREATE INDEX manifests_subject ON manifests (repository, subject) WHERE subject IS NOT NULL;
CREATE INDEX manifests_type ON manifests (repository, subject, artifact_type) WHERE is_referrer = 1;
CREATE INDEX manifests_pusher ON manifests (repository, subject, who) WHERE kind <> 'object';
CREATE INDEX manifests_evidence ON manifests (repository, subject, verified, who, id DESC, kind)
  WHERE kind NOT IN ('object', 'data', 'referrers-list');
CREATE INDEX manifests_orphan ON manifests (orphan_lease) WHERE orphan_lease IS NOT NULL;
CREATE INDEX manifests_orphan_who ON manifests (repository, who) WHERE orphan_lease IS NOT NULL;

-- What manifests hold, present or not. `rank` is 0 for what an object holds, else 1; `via` is 0 for `manifests`, 1 for
-- `config`, 2 for `layers`. In this order holders and parents are read without sorting. `met` is 1 once the parent met
-- a requirement.
CREATE TABLE links (
  repository INTEGER NOT NULL,
  child BLOB NOT NULL,
  rank INTEGER NOT NULL,
  via INTEGER NOT NULL,
  parent INTEGER NOT NULL REFERENCES manifests (id),
  met INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (repository, child, rank, via, parent)
) WITHOUT ROWID;
CREATE INDEX links_met ON links (repository, child, via DESC, parent DESC) WHERE met = 1 AND rank = 0;
CREATE INDEX links_parent ON links (parent, via, child);

-- The newest change that concerns a digest, present or not. Rows stay: a number never returns with another meaning.
CREATE TABLE generations (
  repository INTEGER NOT NULL,
  digest BLOB NOT NULL,
  change INTEGER NOT NULL,
  PRIMARY KEY (repository, digest)
) WITHOUT ROWID;

CREATE TABLE tags (
  repository INTEGER NOT NULL,
  name TEXT NOT NULL,
  newest INTEGER NOT NULL,                  -- the sequence of its newest push
  waits INTEGER,                            -- if that is an object that never met a requirement, since when
  PRIMARY KEY (repository, name)
) WITHOUT ROWID;
CREATE INDEX tags_lexical ON tags (repository, name COLLATE NOCASE, name);
CREATE INDEX tags_waiting ON tags (repository, waits, name) WHERE waits IS NOT NULL;

CREATE TABLE pushes (
  repository INTEGER NOT NULL,
  tag TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  digest BLOB NOT NULL,
  who TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (repository, tag, sequence DESC)
) WITHOUT ROWID;
CREATE INDEX pushes_digest ON pushes (repository, digest, tag);

-- Each push, and since when it waits for evidence while it is the newest of its tag: null where it does not.
CREATE VIEW waiting_pushes AS
SELECT repository, tag, sequence, digest,
  CASE WHEN EXISTS (SELECT 1 FROM manifests m
    WHERE m.repository = p.repository AND m.digest = p.digest AND m.kind = 'object')
  AND NOT EXISTS (SELECT 1 FROM met WHERE met.repository = p.repository AND met.digest = p.digest)
  THEN at END AS waits
FROM pushes p;

CREATE TABLE met (
  repository INTEGER NOT NULL,
  digest BLOB NOT NULL,
  requirement TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (repository, digest, requirement)
) WITHOUT ROWID;

-- Each tag that remembers a push which met a requirement once, or which is evidence or data about what did: nothing else
-- can resolve under it. A row may outlive that push; it goes with the tag.
CREATE TABLE met_tags (
  repository INTEGER NOT NULL,
  name TEXT NOT NULL,
  requirement TEXT NOT NULL,
  PRIMARY KEY (repository, name, requirement)
) WITHOUT ROWID;
CREATE INDEX met_tags_lexical ON met_tags (repository, requirement, name COLLATE NOCASE, name);

-- `due` is 0 for what came and was not judged yet, else the moment at which time alone may change what was judged.
CREATE TABLE judgements (
  repository INTEGER NOT NULL,
  digest BLOB NOT NULL,
  ticket INTEGER NOT NULL,
  due INTEGER NOT NULL,
  PRIMARY KEY (repository, digest)
) WITHOUT ROWID;
CREATE INDEX judgements_due ON judgements (due, ticket);

-- What the layouts do not show yet. An empty digest stands for `index.json` alone.
CREATE TABLE pending (
  repository INTEGER NOT NULL,
  digest BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  PRIMARY KEY (repository, digest)
) WITHOUT ROWID;

-- What changed, noted by the transaction that changed it. `who` is null for what nobody asked for, `repository` (a name)
-- for bytes that all repositories share. Entries go from the oldest on, never the newest: numbers have no gaps.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  event TEXT NOT NULL,
  what TEXT NOT NULL,
  who TEXT,
  repository TEXT,
  digest BLOB NOT NULL,
  tag TEXT,
  subject BLOB,
  why TEXT
);

-- What was refused admission, so many times from `at` on. The newest never goes.
CREATE TABLE refusals (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  event TEXT NOT NULL,
  who TEXT NOT NULL,
  repository TEXT NOT NULL,
  digest BLOB,
  tag TEXT,
  why TEXT NOT NULL,
  times INTEGER NOT NULL
);
CREATE INDEX refusals_who ON refusals (who);

-- `judged` is 1 once all that the revision touches was judged under it.
CREATE TABLE revision (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL, judged INTEGER NOT NULL DEFAULT 0);
CREATE TABLE revision_files (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;

CREATE TRIGGER repository_made AFTER INSERT ON repositories BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'repositories';
END;
CREATE TRIGGER manifest_made AFTER INSERT ON manifests BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'manifests';
END;
CREATE TRIGGER manifest_deleted AFTER DELETE ON manifests BEGIN
  UPDATE counters SET value = value - 1 WHERE name = 'manifests';
END;
CREATE TRIGGER tag_made AFTER INSERT ON tags BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'tags';
END;
CREATE TRIGGER content_made AFTER INSERT ON contents BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'blobs';
  UPDATE counters SET value = value + new.size WHERE name = 'blob_bytes';
END;
CREATE TRIGGER content_deleted AFTER DELETE ON contents BEGIN
  UPDATE counters SET value = value - 1 WHERE name = 'blobs';
  UPDATE counters SET value = value - old.size WHERE name = 'blob_bytes';
END;
CREATE TRIGGER upload_begun AFTER INSERT ON uploads BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'uploads';
END;
CREATE TRIGGER upload_ended AFTER DELETE ON uploads BEGIN
  UPDATE counters SET value = value - 1 WHERE name = 'uploads';
END;
