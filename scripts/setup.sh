# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced by tkm-lab and test: makes sure that all they need is there, and costs next to nothing
# when it is.
#
#   setup run     a virtual environment with the package, and the Debian packages a lab needs
#   setup dev     the same with the tools and packages that the tests need
#
# $wants_strongswan, if not empty, brings stock strongSwan along; the tests always need it.
# $wants_qemu, likewise, brings QEMU and, unless it is "own", a kernel for it.
#
# Both set $venv. It is .venv in the clone or, where the clone isn't ours to write to, a folder in
# the user's cache with a copy of the package. A stamp, written last, says what an environment was
# made of: one that was interrupted, moved or left behind by another Python is made anew.

root=$(readlink -f "${BASH_SOURCE[0]}")
root=${root%/scripts/setup.sh}

setup() {
    local extras=$1 lock
    choose_venv
    venv_is_ready "$extras" && [[ -z $(missing_packages "$extras") ]] && ! needs_kernel "$extras" &&
        return
    # One at a time: whoever waited finds the work done.
    exec {lock}<"$lock_folder"
    flock "$lock"
    install_missing "$extras"
    venv_is_ready "$extras" || make_venv "$extras"
    ! needs_kernel "$extras" || step "Debian's kernel for QEMU, into the cache" fetch_kernel
    exec {lock}<&-
}

die() {
    printf 'tkm-lab: %s\n' "$*" >&2
    exit 1
}

# step WHAT COMMAND…: runs the command and says in one line what it is for and how long it took.
step() {
    local what=$1 start=${EPOCHREALTIME//[!0-9]/} output took
    shift
    printf '  %-9s %-59s ' setup "$what" >&2
    if ! output=$("$@" 2>&1 </dev/null); then
        printf 'failed\n%s\n' "$output" >&2
        die "set-up failed at: $what. Once the cause above is mended, run the same command again."
    fi
    took=$(((${EPOCHREALTIME//[!0-9]/} - start) / 100000))
    printf '%5d.%d s\n' $((took / 10)) $((took % 10)) >&2
}

# --- the virtual environment -------------------------------------------------------------------

choose_venv() {
    venv=$root/.venv lock_folder=$root
    if venv_is_ready run || { [[ -w $root ]] && [[ ! -e $venv || -w $venv ]]; }; then
        return
    fi
    local sum
    sum=$(cksum <<<"$root")
    lock_folder=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/tkm-lab
    venv=$lock_folder/venv-${sum% *}
    if ! mkdir -p "$lock_folder" 2>/dev/null || [[ ! -w $lock_folder ]]; then
        die "can't write to $root, nor to $lock_folder: set XDG_CACHE_HOME to a folder of yours."
    fi
}

# Where an environment belongs and which Python it is of; fails when that Python is gone.
venv_place() {
    local python
    python=$("$venv/bin/python" -I -S -c 'import sys; print(*sys.version_info[:3], sys.prefix)') &&
        printf '%s %s' "$root" "$python"
} 2>/dev/null

read_stamp() {
    { read -r stamp_place && read -r stamp_sum && read -r stamp_extras; } 2>/dev/null <"$venv/stamp" &&
        [[ $stamp_place == "$(venv_place)" ]]
}

venv_is_ready() {
    local stamp_place stamp_sum stamp_extras
    [[ -r $venv/stamp ]] && read_stamp && [[ $stamp_sum == "$(cksum <"$root/pyproject.toml")" ]] &&
        [[ $stamp_extras == "$1" || $stamp_extras == dev ]] && ! is_outdated_copy
}

is_outdated_copy() {
    [[ $lock_folder != "$root" ]] &&
        [[ -n $(find "$root"/{tkm,tkm_cfgtool,xfrm_proxy,ike,lab,scenarios,tkm_lab_pytest.py} -newer "$venv/stamp" -print -quit) ]]
}

make_venv() {
    local extras=$1 python stamp_place stamp_sum stamp_extras
    if ! [[ -r $venv/stamp ]] || ! read_stamp; then
        find_python || die "needs Python 3.11 or later; this system's python3 is older."
        step "virtual environment ${venv/#"$root/"/}" new_venv "$python"
    fi
    rm -f "$venv/stamp"
    step "Python packages" install_package "$extras"
    printf '%s\n' "$(venv_place)" "$(cksum <"$root/pyproject.toml")" "$extras" >"$venv/stamp.new"
    mv "$venv/stamp.new" "$venv/stamp"
}

new_venv() {
    rm -rf "$venv" && "$1" -m venv "$venv"
}

install_package() {
    local what='.[lab]' pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input)
    [[ $1 == dev ]] && what='.[dev]'
    if [[ $lock_folder == "$root" ]]; then
        cd "$root" && "${pip[@]}" --editable "$what"
    else
        install_copy
    fi
}

# The build leaves files beside the sources, and these aren't ours to write to.
install_copy() {
    local copy status=0
    copy=$(mktemp -d) || return
    { cd "$root" && cp -r pyproject.toml README.md LICENSE tkm tkm_cfgtool xfrm_proxy ike lab scenarios tkm_lab_pytest.py "$copy" && cd "$copy" &&
        "${pip[@]}" "$what"; } || status=$?
    rm -rf "$copy"
    return $status
}

# Sets $python to the first Python that can make an environment for us.
find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
            2>/dev/null && return
    done
    return 1
}

# --- Debian packages ---------------------------------------------------------------------------

missing_packages() {
    local packages=()
    command -v ip >/dev/null || packages+=(iproute2)
    command -v ping >/dev/null || packages+=(iputils-ping)
    [[ $1 == run ]] || command -v openssl >/dev/null || packages+=(openssl)
    [[ $1 == run ]] || command -v tshark >/dev/null || packages+=(tshark)
    [[ $1 == run ]] || command -v systemd-analyze >/dev/null || packages+=(systemd)
    [[ $1 == run ]] || [[ -x /usr/sbin/iptables-legacy-restore ]] || packages+=(iptables)
    # The tests boot a guest wherever they run; a lab needs one where this kernel has no ESP.
    [[ -x /usr/bin/linux.uml ]] || { [[ $1 == run ]] && kernel_has_esp; } ||
        packages+=(user-mode-linux)
    if [[ $1 == dev || -n ${wants_strongswan:-} ]]; then
        [[ -x /usr/sbin/charon-systemd || -x /usr/lib/ipsec/charon ]] &&
            command -v swanctl >/dev/null || packages+=(charon-systemd)
    fi
    if [[ $1 == dev || -n ${wants_qemu:-} ]]; then
        command -v "qemu-system-$(uname -m)" >/dev/null || packages+=("$(qemu_package)")
        has_static_busybox || packages+=(busybox-static)
        [[ -x /usr/sbin/depmod ]] || packages+=(kmod)
    fi
    printf '%s' "${packages[*]}"
}

qemu_package() {
    if [[ $(uname -m) == aarch64 ]]; then printf qemu-system-arm; else printf qemu-system-x86; fi
}

# ldd fails for what is no dynamic program.
has_static_busybox() {
    local busybox
    busybox=$(command -v busybox) && ! ldd "$busybox" &>/dev/null
}

needs_kernel() {
    [[ $1 == dev || ${wants_qemu:-own} != own ]] &&
        ! compgen -G "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/tkm-lab/kernel/*/vmlinuz" >/dev/null
}

fetch_kernel() {
    local fetch=("$venv/bin/python" -m lab.kernel.fetch)
    cd "$root" && { "${fetch[@]}" || { become_root && apt_get update && "${fetch[@]}"; }; }
}

# Adds an ESP SA in a network namespace that is gone right after.
kernel_has_esp() {
    local unshare=(unshare --net)
    ((EUID)) && unshare+=(--map-root-user)
    "${unshare[@]}" ip xfrm state add src 127.0.0.1 dst 127.0.0.2 proto esp spi 0x1000 \
        mode transport enc 'cbc(aes)' "0x$(printf '%064d' 1)" \
        auth-trunc 'hmac(sha512)' "0x$(printf '%0128d' 1)" 256 &>/dev/null
}

install_missing() {
    local packages python
    packages=$(missing_packages "$1")
    if ! venv_is_ready "$1" && ! find_python; then
        packages="python3-venv $packages"
    fi
    [[ -n $packages ]] || return 0
    if become_root && command -v apt-get >/dev/null; then
        [[ $packages != *charon-systemd* ]] || mask_strongswan
        # shellcheck disable=SC2086
        step "Debian packages: $packages" apt_install $packages
    elif [[ $1 == dev || $packages == python3-venv* ]]; then
        die "more of this system is needed: sudo apt-get install $packages"
    else
        # Not the end: tkm-lab doctor, or a command that needs no lab, works without.
        printf 'tkm-lab: a lab needs more of this system: sudo apt-get install %s\n' "$packages" >&2
    fi
}

# Debian would start it at once and at every boot, for this whole host; a lab runs its own.
mask_strongswan() {
    local unit=/etc/systemd/system/strongswan.service
    if [[ ! -e $unit && ! -L $unit ]]; then
        "${as_root[@]}" install -d "${unit%/*}"
        "${as_root[@]}" ln -s /dev/null "$unit"
    fi
}

# Sets $as_root to what a command needs in front; fails if there is no way.
become_root() {
    as_root=()
    ((EUID == 0)) && return
    as_root=(sudo)
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }; }
}

# Package lists may be missing or old: only then they are fetched.
apt_install() {
    apt_get install --no-install-recommends "$@" ||
        { apt_get update && apt_get install --no-install-recommends "$@"; }
}

apt_get() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@"
}
