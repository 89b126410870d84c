//! Which instruction set runs: found once, lowered by the environment variable HNX_CPU.

use std::ffi::CStr;
use std::sync::OnceLock;

/// Instruction sets with kernels of their own, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust for the baseline of the target.
    Scalar,
    /// AArch64 Advanced SIMD.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// What the machine can do.
    pub fn detected() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            return Self::Neon;
        }
        Self::Scalar
    }

    /// What is used: the detected level, or the lower one that HNX_CPU names ("scalar", "avx2", "avx512", "neon").
    /// Any other text is ignored. The variable is read once.
    pub fn current() -> Self {
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let detected = Self::detected();
            let wanted = std::env::var_os("HNX_CPU");
            let wanted = wanted.as_ref().and_then(|name| name.to_str()).and_then(Self::named);
            wanted.map_or(detected, |level| level.min(detected))
        })
    }

    /// Whether [`Level::Avx512`] comes with VNNI.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn has_vnni() -> bool {
        is_x86_feature_detected!("avx512vnni")
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "scalar" => Some(Self::Scalar),
            #[cfg(target_arch = "aarch64")]
            "neon" => Some(Self::Neon),
            #[cfg(target_arch = "x86_64")]
            "avx2" => Some(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            "avx512" => Some(Self::Avx512),
            _ => None,
        }
    }

    /// The name HNX_CPU uses.
    pub fn c_name(self) -> &'static CStr {
        match self {
            Self::Scalar => c"scalar",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => c"neon",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => c"avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => c"avx512",
        }
    }
}
