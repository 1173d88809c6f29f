# shellcheck shell=bash
# Installing Debian's packages, for the scripts that need some. To be sourced.

# debian_install LOG PACKAGE...: those that are missing, and says which. The services that come with them are not
# started: these scripts start servers of their own. TOLLGATE_INSTALL=no fails instead.
debian_install() {
	local log=$1 missing=() as_root=() package policy=/usr/sbin/policy-rc.d made_policy='' failed=''
	shift
	for package in "$@"; do
		[[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == *" installed" ]] || missing+=("$package")
	done
	((${#missing[@]} == 0)) && return
	if [[ ${TOLLGATE_INSTALL:-yes} == no ]]; then
		printf 'missing packages: %s\n' "${missing[*]}" >&2
		return 1
	fi
	printf 'Installing from Debian: %s\n' "${missing[*]}"
	((EUID == 0)) || as_root=(sudo)
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
		"${as_root[@]}" chmod 755 "$policy"
		made_policy=yes
	fi
	{ "${as_root[@]}" apt-get update -qq &&
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			"${missing[@]}"; } >"$log" 2>&1 || failed=yes
	[[ -z $made_policy ]] || "${as_root[@]}" rm -f "$policy"
	[[ -n $failed ]] || return 0
	tail -n 5 "$log" >&2
	printf 'apt-get failed; see %s\n' "$log" >&2
	return 1
}
