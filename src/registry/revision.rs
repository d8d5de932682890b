//! stub
use crate::authz::*;
use crate::files::Files;
use crate::gate::*;
use crate::oci::*;
use crate::requirements::Requirements;
use crate::trust::Trust;
use std::sync::Arc;
/// x
#[derive(Debug)]
pub struct Revision {
    files: Files,
    trust: Trust,
    requirements: Requirements,
}
impl Revision {
    /// x
    pub fn files(&self) -> &Files {
        &self.files
    }
    /// x
    pub fn trust(&self) -> &Trust {
        &self.trust
    }
    /// x
    pub fn requirements(&self) -> &Requirements {
        &self.requirements
    }
    /// x
    pub fn requirements_for(&self, _r: &RepositoryName) -> Vec<RequirementName> {
        vec![]
    }
    /// x
    pub fn access(&self, _w: &Who, _r: &RepositoryName) -> Result<Arc<Access>, Undecided> {
        Err(Undecided("".into()))
    }
    /// x
    pub fn admin(&self, _w: &Who) -> Result<Option<Grant<Admin>>, Undecided> {
        Ok(None)
    }
}
