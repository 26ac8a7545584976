//! How people look: pictures, and titles that visitors read beside the name. Whatever is uploaded is
//! read with limits and painted anew, so that what is served holds nothing but a small picture.

use std::collections::{HashMap, HashSet};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::LazyLock;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use switchboard_domain::ids::{AgentId, TenantId};
use switchboard_domain::limit::LABEL_BYTES_MAX;
use switchboard_store::{Expect, Fault};
use tokio::sync::Semaphore;

use crate::directory::record::{Record, damaged, parse};
use crate::directory::text::line;
use crate::directory::{Directory, Error, PAGE_MAX, tenant};

/// Bytes of an upload at most: a picture straight from a phone is scaled down by the page.
pub const UPLOAD_BYTES_MAX: usize = 512 * 1024;
/// Pixels of a side of what is uploaded, at most.
const UPLOAD_SIDE_MAX: u32 = 4_096;
/// Bytes that reading may take: such a picture with four channels, and some.
const MEMORY_BYTES_MAX: u64 = 96 * 1024 * 1024;
/// Pixels of a side of what is served.
const SIDE: u32 = 128;
/// Pictures read at once: each may take a core and much memory.
static READING: Semaphore = Semaphore::const_new(1);

/// A picture as it is served: PNG.
struct Avatar(Vec<u8>);

#[derive(Serialize, Deserialize)]
pub(crate) struct AvatarForm {
    #[serde(with = "serde_bytes")]
    png: Vec<u8>,
}

impl Record for Avatar {
    const KIND: &'static str = "avatar";
    const VERSION: u8 = 1;
    type Form = AvatarForm;

    fn form(&self) -> AvatarForm {
        AvatarForm { png: self.0.clone() }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: AvatarForm = parse::<Self, _>(id, bytes)?;
        Ok(Self(form.png))
    }
}

/// How a person looks to others: picture and title.
#[derive(Clone)]
struct Face {
    person: AgentId,
    avatar: Option<Arc<str>>,
    title: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct FaceForm {
    avatar: Option<Arc<str>>,
    title: Option<Arc<str>>,
}

/// The kind of record that says how a person looks.
pub(crate) const FACE: &str = "face";

impl Record for Face {
    const KIND: &'static str = FACE;
    // 1: the picture alone.
    const VERSION: u8 = 2;
    const IS_INDEXED: bool = true;
    type Form = FaceForm;

    fn form(&self) -> FaceForm {
        FaceForm { avatar: self.avatar.clone(), title: self.title.clone() }
    }

    fn read(version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let person = id.parse().map_err(|_no_id: uuid::Error| damaged::<Self>(id, "its id"))?;
        let FaceForm { avatar, title } = match version {
            1 => FaceForm { avatar: Some(parse::<Self, _>(id, bytes)?), title: None },
            _ => parse::<Self, _>(id, bytes)?,
        };
        Ok(Self { person, avatar, title })
    }
}

/// How a tenant's people look.
#[derive(Clone, Debug, Default)]
pub struct Faces(HashMap<AgentId, Looks>);

#[derive(Clone, Debug)]
struct Looks {
    /// The address of the picture, below our root.
    avatar: Option<Arc<str>>,
    title: Option<Arc<str>>,
}

impl Faces {
    /// Where a person's picture is.
    #[must_use]
    pub fn of(&self, person: AgentId) -> Option<&str> {
        self.0.get(&person)?.avatar.as_deref()
    }

    /// What a person is, in words for visitors.
    #[must_use]
    pub fn title_of(&self, person: AgentId) -> Option<&str> {
        self.0.get(&person)?.title.as_deref()
    }
}

/// A title as it is kept: one line; `None` for an empty one.
///
/// # Errors
///
/// [`Error::Invalid`] when it is too long.
pub fn title(text: &str) -> Result<Option<Arc<str>>, Error> {
    line("title", text, LABEL_BYTES_MAX)
}

/// All faces: read at the start, so that a card costs no look into the store.
#[derive(Debug, Default)]
pub(crate) struct Index(RwLock<HashMap<TenantId, Arc<Faces>>>);

impl Index {
    fn set(&self, tenant: &TenantId, face: &Face) {
        let mut all = self.0.write();
        let faces = Arc::make_mut(all.entry(tenant.clone()).or_default());
        let avatar = face.avatar.as_deref().map(|avatar| address(tenant, avatar));
        let looks = Looks { avatar, title: face.title.clone() };
        match looks {
            Looks { avatar: None, title: None } => faces.0.remove(&face.person),
            looks => faces.0.insert(face.person, looks),
        };
    }
}

/// Where a picture is served: the tenant is in the address, as with widgets.
fn address(tenant: &TenantId, avatar: &str) -> Arc<str> {
    match &*tenant.0 {
        tenant::DEFAULT => format!("/v1/avatars/{avatar}").into(),
        tenant => format!("/v1/avatars/{tenant}.{avatar}").into(),
    }
}

impl Directory {
    /// How a tenant's people look.
    #[must_use]
    pub fn faces(&self, tenant: &TenantId) -> Arc<Faces> {
        static NONE: LazyLock<Arc<Faces>> = LazyLock::new(Arc::default);
        self.face_index().0.read().get(tenant).unwrap_or(&NONE).clone()
    }

    /// Reads how everybody looks; what is known and not there any more is forgotten.
    pub(crate) async fn load_faces(&self) -> Result<(), Error> {
        for tenant in self.tenants().await? {
            let mut gone: HashSet<AgentId> = self.faces(&tenant).0.keys().copied().collect();
            let mut after: Option<String> = None;
            loop {
                let page = self.page::<Face>(&tenant, after.as_deref(), PAGE_MAX).await?;
                for face in &page {
                    gone.remove(&face.value.person);
                    self.face_index().set(&tenant, &face.value);
                }
                match page.last() {
                    Some(last) if page.len() == PAGE_MAX => {
                        after = Some(last.value.person.to_string());
                    }
                    Some(_) | None => break,
                }
            }
            for person in gone {
                self.load_face(&tenant, &person.to_string()).await?;
            }
        }
        Ok(())
    }

    /// Reads how a person looks, after another node changed it.
    pub(crate) async fn load_face(&self, tenant: &TenantId, id: &str) -> Result<(), Error> {
        let Ok(person) = id.parse::<AgentId>() else { return Ok(()) };
        let _alone = self.stripe(tenant, id).lock().await;
        let face = self.face(tenant, person).await?;
        self.face_index().set(tenant, &face);
        Ok(())
    }

    /// Gives a person a picture in place of the one before, or takes it away.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn set_avatar(
        &self,
        tenant: &TenantId,
        person: AgentId,
        png: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        let id = person.to_string();
        let _alone = self.stripe(tenant, &id).lock().await;
        let fresh = png.as_ref().map(|png| avatar_id(person, png));
        if let (Some(avatar), Some(png)) = (&fresh, png) {
            // The picture first: a face never leads nowhere.
            self.save(tenant, avatar, Expect::Any, Avatar(png)).await?;
        }
        let before = self.face(tenant, person).await?;
        let avatar = fresh.as_deref().map(Arc::from);
        self.keep_face(tenant, Face { avatar, ..before.clone() }).await?;
        match before.avatar {
            Some(before) if Some(&*before) != fresh.as_deref() => {
                self.remove::<Avatar>(tenant, &before, Expect::Any).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Gives a person a title in place of the one before, or takes it away.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn set_title(
        &self,
        tenant: &TenantId,
        person: AgentId,
        title: Option<Arc<str>>,
    ) -> Result<(), Error> {
        let _alone = self.stripe(tenant, &person.to_string()).lock().await;
        let before = self.face(tenant, person).await?;
        self.keep_face(tenant, Face { title, ..before }).await
    }

    async fn face(&self, tenant: &TenantId, person: AgentId) -> Result<Face, Error> {
        let found = self.load_stored::<Face>(tenant, &person.to_string()).await?;
        let nothing = || Face { person, avatar: None, title: None };
        Ok(found.map_or_else(nothing, |found| found.value.clone()))
    }

    async fn keep_face(&self, tenant: &TenantId, face: Face) -> Result<(), Error> {
        let id = face.person.to_string();
        if face.avatar.is_none() && face.title.is_none() {
            self.remove::<Face>(tenant, &id, Expect::Any).await?;
        } else {
            self.save(tenant, &id, Expect::Any, face.clone()).await?;
        }
        self.face_index().set(tenant, &face);
        Ok(())
    }

    /// The picture at an address, as PNG.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn avatar(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let (tenant, avatar) = name.split_once('.').unwrap_or((tenant::DEFAULT, name));
        let is_id = avatar.len() == 32 && avatar.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id || !tenant::is_name(tenant) {
            return Ok(None);
        }
        let found = self.load_stored::<Avatar>(&TenantId(tenant.into()), avatar).await?;
        Ok(found.map(|found| found.value.0.clone()))
    }
}

/// The name of a picture: of its bytes, so that it may be kept for ever, and of its person, so that
/// two with the same picture do not share one that either may take away.
fn avatar_id(person: AgentId, png: &[u8]) -> String {
    let digest = Sha256::new().chain_update(person.uuid().as_bytes()).chain_update(png).finalize();
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a picture of the kind that the upload says it is, and paints it anew: upright, square,
/// 128 by 128.
///
/// # Errors
///
/// [`Error::Invalid`] when it is no such picture, or too large a one.
pub async fn repaint(media: &str, upload: Vec<u8>) -> Result<Vec<u8>, Error> {
    let format = match media {
        "image/png" => ImageFormat::Png,
        "image/jpeg" => ImageFormat::Jpeg,
        "image/webp" => ImageFormat::WebP,
        _ => return Err(no_picture()),
    };
    let _turn = READING.acquire().await.ok();
    // Whatever a decoder may do wrong, it does it to this one upload.
    tokio::task::spawn_blocking(move || paint(format, upload)).await.unwrap_or(Err(no_picture()))
}

const fn no_picture() -> Error {
    let why = "is no PNG, JPEG or WebP picture of at most 4096 by 4096";
    Error::Invalid { field: "body", why }
}

fn paint(format: ImageFormat, upload: Vec<u8>) -> Result<Vec<u8>, Error> {
    let painted = || -> image::ImageResult<Vec<u8>> {
        let mut reader = ImageReader::with_format(Cursor::new(upload), format);
        let mut limits = Limits::default();
        limits.max_image_width = Some(UPLOAD_SIDE_MAX);
        limits.max_image_height = Some(UPLOAD_SIDE_MAX);
        limits.max_alloc = Some(MEMORY_BYTES_MAX);
        reader.limits(limits);
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        let small = picture.resize_to_fill(SIDE, SIDE, FilterType::Triangle).into_rgba8();
        let mut png = Cursor::new(Vec::new());
        small.write_to(&mut png, ImageFormat::Png)?;
        Ok(png.into_inner())
    };
    painted().map_err(|_why| no_picture())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::testing::{Setup, tenant};

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let picture = DynamicImage::new_rgb8(width, height);
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[tokio::test]
    async fn picture_and_title_come_and_go_without_each_other() {
        let mut setup = Setup::new().await;
        let (acme, ada) = (tenant("acme"), AgentId::from_u128(7));
        let doctor = title(" Plant\n doctor ").unwrap();
        for (change, expected) in [
            (Ok(doctor.clone()), (false, Some("Plant doctor"))),
            (Err(Some(vec![1])), (true, Some("Plant doctor"))),
            (Ok(title(" ").unwrap()), (true, None)),
            (Ok(doctor.clone()), (true, Some("Plant doctor"))),
            (Err(None), (false, Some("Plant doctor"))),
            (Ok(None), (false, None)),
        ] {
            match change {
                Ok(title) => setup.directory.set_title(&acme, ada, title).await.unwrap(),
                Err(png) => setup.directory.set_avatar(&acme, ada, png).await.unwrap(),
            }
            for _ in 0..2 {
                let faces = setup.directory.faces(&acme);
                assert_eq!((faces.of(ada).is_some(), faces.title_of(ada)), expected);
                setup.restart().await;
            }
        }
        assert!(title(&"a".repeat(LABEL_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_face_of_before_has_its_picture_and_no_title() {
        let id = AgentId::from_u128(7).to_string();
        let bytes = rmp_serde::to_vec_named("abc").unwrap();
        let face = Face::read(1, &id, &bytes).unwrap();
        assert_eq!((face.avatar.as_deref(), face.title), (Some("abc"), None));
    }

    fn is_avatar(png: &[u8]) {
        let read = image::load_from_memory_with_format(png, ImageFormat::Png).unwrap();
        assert_eq!((read.width(), read.height()), (SIDE, SIDE));
    }

    #[tokio::test]
    async fn every_kind_of_picture_becomes_a_small_square_png() {
        for (media, format) in [
            ("image/png", ImageFormat::Png),
            ("image/jpeg", ImageFormat::Jpeg),
            ("image/webp", ImageFormat::WebP),
        ] {
            for (width, height) in [(1, 1), (300, 20), (64, 64)] {
                is_avatar(&repaint(media, picture(width, height, format)).await.unwrap());
            }
        }
    }

    #[tokio::test]
    async fn what_comes_after_the_picture_or_beside_it_is_gone() {
        let mut upload = picture(8, 8, ImageFormat::Png);
        upload.extend_from_slice(b"<script>canary</script>");
        let png = repaint("image/png", upload).await.unwrap();
        assert!(!png.windows(6).any(|six| six == b"canary"));
    }

    #[tokio::test]
    async fn what_is_no_picture_is_refused() {
        let png = picture(8, 8, ImageFormat::Png);
        let table: Vec<(&str, Vec<u8>)> = vec![
            ("image/png", Vec::new()),
            ("image/png", b"GIF89a".to_vec()),
            ("image/png", png[..png.len() / 2].to_vec()),
            ("image/jpeg", png.clone()),
            ("image/svg+xml", b"<svg/>".to_vec()),
            ("text/html", png),
            ("image/png", picture(UPLOAD_SIDE_MAX + 1, 1, ImageFormat::Png)),
        ];
        for (media, upload) in table {
            let size = upload.len();
            let refused = repaint(media, upload).await;
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{media}, {size} bytes");
        }
    }
}
