"""A local AWS that needs no account. moto answers the API requests, and AWS's own runtime client runs the functions.

It differs from AWS:

- The access key decides who the caller is, but signatures are not verified. The server listens on loopback only.
- It knows the condition keys ``aws:SecureTransport``, ``aws:SourceArn``, ``aws:SourceAccount`` and ``kms:ViaService``.
  It ignores a statement with any other condition. It does not evaluate key policies, evaluates queue policies only for
  S3 and EventBridge, and needs only ``s3:PutObject`` for a PUT that copies, sets tags or sets an ACL.
- It retries failed events after seconds instead of minutes, and sends their records to queues only.
- EventBridge delivers to functions and queues only, and tries once. SNS delivers without asking a queue's policy.
- CloudWatch stores metric filters, alarms and dashboards, but measures nothing: only SetAlarmState sets an alarm off.
  The alarm's message has only its name and states. Lambda's platform lines are never JSON.
- S3 Batch Operations runs only jobs that invoke a function and report failed tasks, and can't list or cancel jobs. It
  tries each task three times at most. A job fails at once if its role may not invoke the function.
- Restoring an archived object takes no time. No lifecycle rule deletes anything. S3 returns a KMS key in the form in
  which it was named.
- Memory is limited on Linux only.
- The start of an environment counts against the function's timeout. Its network and file system are this machine's.
"""

from tools.local.aws.runtime import prepare
from tools.local.aws.service import local_aws, stop

__all__ = ["local_aws", "prepare", "stop"]
