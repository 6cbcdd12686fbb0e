"""A local AWS that needs no account: moto's APIs, and AWS's own runtime client, which runs the functions.

Not as on AWS:

- Keys decide who asks, but signatures are not verified. It listens on loopback only.
- Of a policy's conditions only ``aws:SecureTransport`` and those on a source, or on a key's service, are known; a
  statement with any other is as if it were not there. Policies of keys are not looked at, those of queues only for
  EventBridge, nor what a copy, tags or an ACL of a PUT would need beyond ``s3:PutObject``.
- Failed events are tried again after seconds, not minutes, and their records go to queues only.
- EventBridge reaches functions and queues only, and tries once.
- CloudWatch keeps metric filters, alarms and dashboards, and measures nothing; Lambda's own lines are never JSON.
- S3 Batch Operations has only jobs that call a function, tries each task three times at most, and fails at once where
  their role may not call it.
- A restore of an archived object is complete at once, no lifecycle rule ever deletes, and a key of KMS is told as it
  was named.
- Memory is limited on Linux only.
- An environment's start counts against the function's timeout, and its network and file system are this machine's.
"""

from tools.local.aws.runtime import prepare
from tools.local.aws.service import local_aws, start, stop

__all__ = ["local_aws", "prepare", "start", "stop"]
