#!/usr/bin/env bash
# Install, upgrade or remove the dispatcher of the current user; doing it again changes nothing.
#
#   install.sh [install | upgrade | uninstall] [--cron | --systemd] [--minute N] [--no-start] [--dry-run] [--check]
#
#   install     copy dispatch.sh, make the env file if there is none, and start it every hour (upgrade is the same)
#   uninstall   remove schedule and script; the env file, the log and the time of the last success stay
#   --cron      by the user's crontab;  --systemd  by a user timer; unless one is named: what is installed, else cron
#   --minute N  the minute of the hour; unless one is named: the one that is installed, else 2
#   --no-start  write the systemd units without talking to systemd (an image, or a machine that is not booted)
#   --dry-run   say what would be done, and do nothing
#   --check     afterwards, or alone with nothing to install, prove the settings: dispatch.sh --check
#
# The env file is never overwritten. Exit: 0 done - 1 a step failed - 2 wrong arguments.
set -euo pipefail
umask 022
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly name=binance-dispatch
readonly program=${XDG_DATA_HOME:-$HOME/.local/share}/$name
readonly config=${XDG_CONFIG_HOME:-$HOME/.config}/$name
readonly units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
readonly mark="# $name: one line, managed by install.sh"

action='' scheduler='' minute='' start=1 dry=0 check=0

main() {
    read_arguments "$@"
    case $action in
        install) install_program; "schedule_by_$scheduler"; other_scheduler_off; next_steps ;;
        uninstall) cron_off; systemd_off; remove "$program" ;;
    esac
    ((check)) || return 0
    if ((dry)); then say "run $program/dispatch.sh --check"; else "$program/dispatch.sh" --check; fi
}

read_arguments() {
    local path
    while (($#)); do
        case $1 in
            install | upgrade) action=install ;;
            uninstall) action=uninstall ;;
            --cron | --systemd) scheduler=${1#--} ;;
            --minute) minute=${2:--}; shift ;;
            --no-start) start=0 ;;
            --dry-run) dry=1 ;;
            --check) check=1 ;;
            -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
            *) wrong "unknown argument: $1; --help lists them" ;;
        esac
        shift || break
    done
    ((check)) || [[ -n $action ]] || action=install
    choose_schedule
    for path in "$program" "$config"; do
        [[ $action == install ]] || break
        if [[ $path != /* || $path == *[\'\"%\\\$\&\|\`[:cntrl:]]* ]]; then
            wrong "$path: cron and systemd need an absolute path without quotes and % \\ \$ & | \`: set XDG_DATA_HOME and \
XDG_CONFIG_HOME"
        fi
    done
    [[ $scheduler == systemd || $action != install ]] || command -v crontab >/dev/null ||
        wrong "crontab is not installed: install cron, or use --systemd"
}

# What is not named stays as it is installed: an upgrade moves nobody from one scheduler, or minute, to another.
choose_schedule() {
    local found=''
    if [[ -z $scheduler ]]; then
        scheduler=cron
        if [[ -e $units/$name.timer && -z $(cron_line) ]]; then scheduler=systemd; fi
    fi
    if [[ $scheduler == cron ]]; then
        found=$(cron_line)
        found=${found%% *}
    elif [[ -f $units/$name.timer ]]; then
        found=$(sed -n 's/^OnCalendar=.*:\([0-9]*\):00 UTC$/\1/p' "$units/$name.timer")
    fi
    minute=${minute:-${found:-2}}
    [[ $minute =~ ^[0-5]?[0-9]$ ]] || wrong "--minute: '$minute': 0 to 59"
    minute=$((10#$minute))
}

wrong() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 2
}

say() {
    if ((dry)); then printf 'would %s\n' "$1"; else printf '%s\n' "$1"; fi
}

# change WHAT COMMAND...: say it, and do it unless --dry-run.
change() {
    say "$1"
    shift
    ((dry)) || "$@"
}

install_program() {
    local tool
    for tool in bash curl flock; do
        command -v "$tool" >/dev/null || { printf 'install.sh: %s is not installed\n' "$tool" >&2; exit 1; }
    done
    # A name of its own and a rename: a start that is reading the old file goes on with it.
    if ! cmp -s "$here/dispatch.sh" "$program/dispatch.sh"; then
        change "write $program/dispatch.sh" put "$program/dispatch.sh" 755 <"$here/dispatch.sh"
    fi
    if [[ ! -e $config/env && ! -L $config/env ]]; then
        change "write $config/env (mode 600), to be filled in" put "$config/env" 600 <"$here/vps-dispatch.env.example"
    fi
}

# put FILE MODE: standard input into a file, whole or not at all.
put() {
    mkdir -p "$(dirname "$1")"
    (umask 077 && cat >"$1.new")
    chmod "$2" "$1.new"
    mv -f "$1.new" "$1"
}

remove() {
    [[ ! -e $1 ]] || change "remove $1" rm -rf -- "$1"
}

# --- cron -------------------------------------------------------------------------------------------------------------

# Our line of the user's crontab, if it is there.
cron_line() {
    command -v crontab >/dev/null || return 0
    { crontab -l 2>/dev/null || true; } | awk -v mark="$mark" 'last == mark { print } { last = $0 }'
}

# The user's crontab without our two lines.
other_lines() {
    { crontab -l 2>/dev/null || true; } | awk -v mark="$mark" 'skip { skip = 0; next } $0 == mark { skip = 1; next } { print }'
}

schedule_by_cron() {
    local wanted
    wanted="$(other_lines)"
    wanted+="${wanted:+$'\n'}$mark"$'\n'"$minute * * * * '$program/dispatch.sh' '$config/env' >/dev/null"
    if [[ $wanted != "$(crontab -l 2>/dev/null || true)" ]]; then
        change "write the crontab: minute $minute of every hour" crontab - <<<"$wanted"
    fi
}

cron_off() {
    command -v crontab >/dev/null || return 0
    if { crontab -l 2>/dev/null || true; } | grep -qxF -- "$mark"; then
        change "take our line out of the crontab" crontab - < <(other_lines)
    fi
}

# --- systemd ----------------------------------------------------------------------------------------------------------

schedule_by_systemd() {
    local unit text
    for unit in service timer; do
        text=$(sed -e "s|@PROGRAM@|$program|" -e "s|@CONFIG@|$config|" -e "s|@MINUTE@|$(printf '%02d' "$minute")|" "$here/$name.$unit")
        [[ -f $units/$name.$unit && $text == "$(<"$units/$name.$unit")" ]] && continue
        change "write $units/$name.$unit" put "$units/$name.$unit" 644 <<<"$text"
    done
    ((start)) || return 0
    change "start the timer" start_timer
    say "keep it running while nobody is logged in: loginctl enable-linger $(id -un)"
}

start_timer() {
    systemctl --user daemon-reload && systemctl --user enable --now "$name.timer" && return
    printf 'install.sh: %s\n' >&2 "the systemd of this user does not answer. Log in as $(id -un) itself (not by su or sudo);" \
        "or as root: loginctl enable-linger $(id -un); then here: export XDG_RUNTIME_DIR=/run/user/$(id -u), and do this again"
    return 1
}

systemd_off() {
    [[ -e $units/$name.timer ]] || return 0
    ((start)) && change "stop the timer" systemctl --user disable --now "$name.timer"
    remove "$units/$name.timer"
    remove "$units/$name.service"
    return 0
}

# Two schedules would be harmless (the lease lets one hour win), and useless.
other_scheduler_off() {
    if [[ $scheduler == cron ]]; then systemd_off; else cron_off; fi
}

next_steps() {
    ((dry)) || printf 'installed: fill in %s, then run %s --check\n' "$config/env" "$program/dispatch.sh"
}

main "$@"
