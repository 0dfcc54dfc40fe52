"""A container of a manifest by its own rules, as far as one machine has them: by `unshare` and `setpriv`.

Its user has no entry in passwd, no group and no capability, the root is read-only, each emptyDir is empty, and the
account's files and variables are where a kubelet puts them
(https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). Its memory and system calls are not limited.
"""

import shlex
import shutil
import subprocess
import typing as t
from pathlib import Path

ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
STAGE = "/mnt"
IN_POD = (
    *("--no-new-privs", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"),
    *("env", "-i"),
)


def why_not() -> str:
    """Why root cannot make a container here, empty where it can."""
    if not shutil.which("setpriv"):
        return "needs setpriv"
    made = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return made.stderr.decode().strip() if made.returncode else ""


def run_container(
    pod: dict[str, t.Any],
    *,
    image: t.Mapping[str, Path],
    shown: t.Sequence[Path],
    account: Path,
    environment: t.Mapping[str, str],
) -> subprocess.CompletedProcess[str]:
    """The pod's only container, whose image has the folders of `image` by their places there.

    `shown`: what the programs need of this machine, at its own place. `account`: the files of the account.
    """
    (container,) = pod["containers"]
    rules = {**pod["securityContext"], **container["securityContext"]}
    assert rules["readOnlyRootFilesystem"]
    assert rules["capabilities"] == {"drop": ["ALL"]}
    empty = {one["name"] for one in pod["volumes"] if "emptyDir" in one}
    mounts = [one["mountPath"] for one in container["volumeMounts"] if one["name"] in empty]
    variables = {**environment, **{one["name"]: one["value"] for one in container["env"]}}
    user = [f"--reuid={rules['runAsUser']}", f"--regid={rules['runAsGroup']}"]
    placed = {**{str(one): one for one in shown}, **image}
    script = [f"mount -t tmpfs -o mode=755 stage {STAGE}"]
    for number, source in enumerate([*placed.values(), account]):
        script += [
            f"mkdir {STAGE}/{number}",
            f"mount --rbind {shlex.quote(str(source))} {STAGE}/{number}",
        ]
    # What is on the way to these folders is this machine's, and may be for root alone.
    tops = {f"/{Path(at).parts[1]}" for at in (*placed, ACCOUNT)} - {*mounts}
    script += [f"mount -t tmpfs -o mode=755 top {top}" for top in sorted(tops)]
    script += [f"mount -t tmpfs -o mode=1777 empty {one}" for one in mounts]
    for number, at in enumerate([*placed, ACCOUNT]):
        script += [
            f"mkdir -p {shlex.quote(at)}",
            f"mount --rbind {STAGE}/{number} {shlex.quote(at)}",
        ]
        script += [f"mount -o remount,bind,ro {shlex.quote(at)}"]
    script += [f"mount -o remount,ro {top}" for top in sorted(tops)]
    script += [f"umount -R -l {STAGE}", "mount -o remount,bind,ro /"]
    typed = ["setpriv", *user, *IN_POD, *(f"{name}={value}" for name, value in variables.items())]
    script += [
        f"cd {container['workingDir']}",
        f"exec {shlex.join([*typed, *container['command']])}",
    ]
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-ec", "\n".join(script)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
