//! What was read is written: users, settings, variants, grants, in this order and each in a transaction of its own, so that
//! an import that was broken off is completed by the next.

use std::{collections::HashSet, io::Write};

use anyhow::{Context, bail};
use api::auth::docsfy_keys::SealedSecret;
use shared::{
    db::{self, variants::Scope},
    events::{self, AccessChange},
    ids::GenerationId,
    names::ProjectName,
    variant::VariantKey,
};
use sites::{
    key::SitePrefix,
    publish::{PublishError, publish},
    render::render_site,
    store::SiteStore,
};
use sqlx::{PgPool, Postgres, Transaction};
use tokio_util::sync::CancellationToken;

use super::{
    folder::Projects,
    people::{self, DocsfyUser},
    report::{Kind, Outcome, Report},
    site::{self, Prepared, Site},
    source::{Row, Source},
    target::Target,
    variants::{self, DocsfyVariant},
};

/// An import on its way.
pub(super) struct Import<'a, W> {
    pub(super) target: &'a Target,
    pub(super) projects: Projects,
    pub(super) report: Report<W>,
    /// docsfy's admin key, when it was given.
    pub(super) admin_key: Option<SealedSecret>,
    /// Whether an admin key was given; a dry run does not seal it.
    pub(super) keys_work: bool,
    pub(super) dry_run: bool,
    pub(super) shutdown: CancellationToken,
}

impl<W: Write> Import<'_, W> {
    /// Brings everything over.
    pub(super) async fn run(&mut self, source: &Source) -> anyhow::Result<()> {
        if let (Some(pool), Some(sealed)) = (self.writable(), &self.admin_key) {
            let mut conn = pool.acquire().await?;
            db::users::add_docsfy_secret(&mut conn, &sealed.fingerprint, &sealed.sealed).await?;
        }
        let users = self.users(&source.users).await?;
        self.settings(&source.settings).await?;
        let projects = self.variants(&source.projects).await?;
        self.grants(&source.grants, &users, &projects).await?;
        self.folders(&source.projects)?;
        self.report.summary(self.dry_run)
    }

    /// The database, unless nothing is to be written.
    fn writable(&self) -> Option<&PgPool> {
        self.target.pool.as_ref().filter(|_| !self.dry_run)
    }

    async fn begin(&self) -> anyhow::Result<Option<Transaction<'static, Postgres>>> {
        if self.shutdown.is_cancelled() {
            bail!("broken off; the same command goes on where this one stopped");
        }
        match self.writable() {
            Some(pool) => Ok(Some(db::begin(pool).await?)),
            None => Ok(None),
        }
    }

    /// Gives the names of the users that are here after that.
    async fn users(&mut self, rows: &[Row]) -> anyhow::Result<HashSet<String>> {
        let mut known = HashSet::new();
        for row in rows {
            let name = row.text_or_empty("username");
            let user = match people::user(row) {
                Ok(user) => user,
                Err(reason) => {
                    self.report.tell(Kind::User, &name, Outcome::LeftOut, &reason)?;
                    continue;
                }
            };
            let is_new = known.insert(name.clone()) && !self.has_user(&name).await?;
            if is_new {
                let repairs = self.write_user(&user).await?;
                let key = if self.keys_work {
                    "the key keeps working if --admin-key was right"
                } else {
                    "the key works when this is run again with --admin-key, or after an admin rotated it"
                };
                let remark = format!("{}; {key}", user.role.as_str());
                self.report.tell(Kind::User, &name, Outcome::Imported, &remark)?;
                repairs.iter().try_for_each(|repair| self.report.repaired(repair))?;
            } else {
                self.report.tell(Kind::User, &name, Outcome::AlreadyThere, "")?;
            }
        }
        Ok(known)
    }

    async fn has_user(&self, name: &str) -> anyhow::Result<bool> {
        let Some(pool) = &self.target.pool else { return Ok(false) };
        Ok(db::users::find(&mut *pool.acquire().await?, name).await?.is_some())
    }

    /// Gives what had to be repaired.
    async fn write_user(&mut self, user: &DocsfyUser) -> anyhow::Result<Vec<String>> {
        let mut repairs = user.repairs.clone();
        let Some(mut transaction) = self.begin().await? else { return Ok(repairs) };
        // a key that nobody knows stands for one that cannot be kept
        let hash = user.key_hash.unwrap_or_else(rand::random);
        let create = db::imports::create_user(&mut transaction, &user.name, user.role, &hash, user.created_at);
        if !create.await? {
            repairs.push("another user has the same key; nobody can log in until an admin rotates it".into());
            let hash = rand::random();
            let create = db::imports::create_user(&mut transaction, &user.name, user.role, &hash, user.created_at);
            if !create.await? {
                bail!("the user {} was made by somebody else just now; run this again", user.name);
            }
        }
        events::announce_access(&mut transaction, &AccessChange::User(user.name.to_string())).await?;
        transaction.commit().await?;
        Ok(repairs)
    }

    async fn settings(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        for (key, value) in people::settings(rows) {
            let value = match value {
                Ok(value) => value,
                Err(reason) => {
                    self.report.tell(Kind::Setting, &key, Outcome::LeftOut, &reason)?;
                    continue;
                }
            };
            let is_set = match &self.target.pool {
                Some(pool) => db::imports::has_setting(&mut *pool.acquire().await?, &key).await?,
                None => false,
            };
            if is_set {
                self.report.tell(Kind::Setting, &key, Outcome::AlreadyThere, "")?;
                continue;
            }
            if let Some(mut transaction) = self.begin().await? {
                db::imports::create_setting(&mut transaction, &key, &value).await?;
                events::announce_access(&mut transaction, &AccessChange::Settings).await?;
                transaction.commit().await?;
            }
            self.report.tell(Kind::Setting, &key, Outcome::Imported, &value)?;
        }
        Ok(())
    }

    /// Gives owner and name of the projects that have variants here after that.
    async fn variants(&mut self, rows: &[Row]) -> anyhow::Result<HashSet<(String, ProjectName)>> {
        let mut seen: HashSet<VariantKey> = HashSet::new();
        for row in rows {
            let name = variants::name_of(row);
            match variants::read(row) {
                Err(reason) => self.report.tell(Kind::Variant, &name, Outcome::LeftOut, &reason)?,
                Ok(variant) if !seen.insert(variant.key.clone()) => {
                    self.report.tell(Kind::Variant, &name, Outcome::LeftOut, "another row is the same variant")?;
                }
                Ok(variant) => self.variant(variant).await?,
            }
        }
        Ok(seen.into_iter().map(|key| (key.owner, key.name)).collect())
    }

    async fn variant(&mut self, variant: DocsfyVariant) -> anyhow::Result<()> {
        let name = variants::name_of_key(&variant.key);
        let docsfy_id = variant.generation;
        if let Some(id) = self.find_variant(&variant.key).await? {
            let is_docsfys = match docsfy_id {
                Some(docsfy_id) => self.variant_of(docsfy_id).await? == Some(id),
                None => true,
            };
            let remark = if is_docsfys { "" } else { "docmill has one of its own, which stays as it is" };
            return self.report.tell(Kind::Variant, &name, Outcome::AlreadyThere, remark);
        }
        let projects = self.projects.clone();
        let mut prepared = tokio::task::spawn_blocking(move || site::prepare(&projects, variant)).await?;
        let taken = match docsfy_id {
            Some(id) => self.variant_of(id).await?.is_some(),
            None => false,
        };
        if taken {
            prepared.repairs.push("another variant has its generation id; it has a new one".into());
        }
        if self.write_variant(&mut prepared, docsfy_id.filter(|_| !taken)).await? {
            self.tell_of_variant(&name, &prepared)
        } else {
            self.report.tell(Kind::Variant, &name, Outcome::AlreadyThere, "it was made just now")
        }
    }

    async fn find_variant(&self, key: &VariantKey) -> anyhow::Result<Option<i64>> {
        let Some(pool) = &self.target.pool else { return Ok(None) };
        let mut conn = pool.acquire().await?;
        let scope = Scope::Owner(&key.owner);
        let found =
            db::variants::list_matching(&mut conn, scope, &key.name, &key.branch, key.provider, &key.model).await?;
        Ok(found.first().map(|row| row.id))
    }

    async fn variant_of(&self, generation: GenerationId) -> anyhow::Result<Option<i64>> {
        let Some(pool) = &self.target.pool else { return Ok(None) };
        Ok(db::generations::find_variant_id(&mut *pool.acquire().await?, generation).await?)
    }

    /// Publishes the site and makes the rows; false when the variant is there by now.
    async fn write_variant(&self, prepared: &mut Prepared, id: Option<GenerationId>) -> anyhow::Result<bool> {
        let Some(mut transaction) = self.begin().await? else { return Ok(true) };
        let id = match id {
            Some(id) => id,
            None => db::imports::id_of_nameless(&mut transaction, &prepared.row.key).await?,
        };
        prepared.row.generation = id;
        // the fence of a generation that no worker ever took
        let prefix = SitePrefix::new(id, 0);
        if let (Some(site), Some(store)) = (prepared.site.take(), &self.target.store) {
            db::imports::keep_site(&mut transaction, &prefix.to_string()).await?;
            // publishing takes its time, and a transaction that waits is ended
            transaction.commit().await?;
            publish_site(store, &prefix, site).await?;
            prepared.row.site_prefix = Some(prefix.to_string());
            let Some(next) = self.begin().await? else { return Ok(true) };
            transaction = next;
        }
        let made = db::imports::create_variant(&mut transaction, &prepared.row).await?;
        if made.is_none() {
            transaction.rollback().await?;
            if let Some(store) = &self.target.store {
                store.remove_site(&prefix).await?;
            }
            return Ok(false);
        }
        if let Some(plan) = &prepared.plan {
            db::imports::create_pages(&mut transaction, id, plan, &prepared.pages).await?;
        }
        let key = &prepared.row.key;
        let change = AccessChange::Project { owner: key.owner.clone(), name: key.name.to_string() };
        events::announce_access(&mut transaction, &change).await?;
        transaction.commit().await?;
        Ok(true)
    }

    fn tell_of_variant(&mut self, name: &str, prepared: &Prepared) -> anyhow::Result<()> {
        let row = &prepared.row;
        let has_site = row.site_prefix.is_some() || prepared.site.is_some();
        let pages = usize::try_from(row.page_count).unwrap_or_default();
        let status = row.status.as_str();
        let remark = if has_site { format!("{status}, site with {pages} pages") } else { format!("{status}, no site") };
        self.report.tell(Kind::Variant, name, Outcome::Imported, &remark)?;
        if has_site {
            self.report.count(Kind::Site, Outcome::Imported, 1);
            self.report.count(Kind::Page, Outcome::Imported, pages);
        }
        prepared.repairs.iter().try_for_each(|repair| self.report.repaired(repair))?;
        for (page, reason) in &prepared.left_out_pages {
            self.report.left_out_of_it(Kind::Page, page, reason)?;
        }
        match &prepared.left_out_site {
            Some(reason) => self.report.left_out_of_it(Kind::Site, name, reason),
            None => Ok(()),
        }
    }

    async fn grants(
        &mut self,
        rows: &[Row],
        users: &HashSet<String>,
        projects: &HashSet<(String, ProjectName)>,
    ) -> anyhow::Result<()> {
        for row in rows {
            let name = people::grant_name(row);
            let grant = match people::grant(row) {
                Ok(grant) if !users.contains(&grant.username) => Err("there is no such user".to_owned()),
                Ok(grant) if !projects.contains(&(grant.owner.clone(), grant.project.clone())) => {
                    Err("there is no such project".to_owned())
                }
                other => other,
            };
            let grant = match grant {
                Ok(grant) => grant,
                Err(reason) => {
                    self.report.tell(Kind::Grant, &name, Outcome::LeftOut, &reason)?;
                    continue;
                }
            };
            let there = match &self.target.pool {
                Some(pool) => {
                    let mut conn = pool.acquire().await?;
                    db::grants::list(&mut conn, &grant.owner, grant.project.as_str()).await?.contains(&grant.username)
                }
                None => false,
            };
            if let Some(mut transaction) = self.begin().await?.filter(|_| !there) {
                db::grants::create(&mut transaction, &grant.owner, &grant.project, &grant.username).await?;
                events::announce_access(&mut transaction, &AccessChange::User(grant.username.clone())).await?;
                transaction.commit().await?;
            }
            let outcome = if there { Outcome::AlreadyThere } else { Outcome::Imported };
            self.report.tell(Kind::Grant, &name, outcome, "")?;
        }
        Ok(())
    }

    /// Trees that no row is about.
    fn folders(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let of_rows: HashSet<Vec<String>> = rows.iter().map(variants::folder_of).collect();
        for folder in trees(&self.projects, Vec::new()) {
            if !of_rows.contains(&folder) {
                let reason = if folder.last().is_some_and(|name| name.contains(".deleting-")) {
                    "docsfy was deleting it"
                } else {
                    "no row of docsfy.db is about it"
                };
                self.report.tell(Kind::Folder, &folder.join("/"), Outcome::LeftOut, reason)?;
            }
        }
        Ok(())
    }
}

/// The folders at the depth of variants.
fn trees(projects: &Projects, place: Vec<String>) -> Vec<Vec<String>> {
    if place.len() == 5 {
        return vec![place];
    }
    let parts: Vec<&str> = place.iter().map(String::as_str).collect();
    let names = projects.list(&parts).into_iter();
    let below = names.map(|name| place.iter().cloned().chain([name]).collect::<Vec<_>>());
    let below = below.filter(|place| projects.has_folder(&place.iter().map(String::as_str).collect::<Vec<_>>()));
    below.flat_map(|place| trees(projects, place)).collect()
}

async fn publish_site(store: &SiteStore, prefix: &SitePrefix, site: Site) -> anyhow::Result<()> {
    let rendering = tokio::task::spawn_blocking(move || render_site(&site.plan, &site.pages, &site.info, None));
    let files = rendering.await?;
    let published = match publish(store, prefix, &files).await {
        // what an import that was broken off left, made by another version of docmill: no row knows of it
        Err(PublishError::Taken(_)) => {
            store.remove_site(prefix).await?;
            publish(store, prefix, &files).await
        }
        other => other,
    };
    published.map(drop).context("a site could not be written")
}
