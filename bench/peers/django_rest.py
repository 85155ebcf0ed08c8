"""Django REST framework in one file: models without migrations, serializers, persistent connections, PyMySQL."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys

import django
import pymysql
from django.conf import settings

pymysql.install_as_MySQLdb()
settings.configure(
    SECRET_KEY="only for a benchmark",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "NAME": os.environ["DB_NAME"],
            "USER": os.environ["DB_USER"],
            "PASSWORD": os.environ["DB_PASSWORD"],
            "HOST": os.environ["DB_SOCKET"],
            "CONN_MAX_AGE": None,
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView


class Table(models.Model):
    class Meta:
        abstract = True
        app_label = "bench"
        managed = False


class User(Table):
    username = models.CharField(max_length=32)
    visibility = models.CharField(max_length=10)
    avatar_id = models.BigIntegerField(null=True)

    class Meta(Table.Meta):
        db_table = "users"

    is_authenticated = True


class Session(Table):
    user = models.ForeignKey(User, models.CASCADE)
    token_hash = models.BinaryField()
    expires_at = models.DateTimeField()

    class Meta(Table.Meta):
        db_table = "sessions"


class Video(Table):
    user = models.ForeignKey(User, models.CASCADE)
    title = models.CharField(max_length=200)
    description = models.TextField()
    visibility = models.CharField(max_length=10)
    hidden_reason = models.CharField(max_length=500, null=True)
    category = models.CharField(max_length=32, null=True)
    tags = models.JSONField()
    file_key = models.CharField(max_length=32, null=True)
    thumbnail_key = models.CharField(max_length=32, null=True)
    duration_ms = models.IntegerField(null=True)
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    view_count = models.IntegerField()
    like_count = models.IntegerField()
    favorite_count = models.IntegerField()
    comment_count = models.IntegerField()
    danmaku_count = models.IntegerField()
    comment_policy = models.CharField(max_length=10)
    hot_score = models.IntegerField()
    version = models.IntegerField()
    created_at = models.DateTimeField()

    class Meta(Table.Meta):
        db_table = "videos"


class Comment(Table):
    video = models.ForeignKey(Video, models.CASCADE)
    owner_id = models.BigIntegerField()
    user = models.ForeignKey(User, models.CASCADE)
    root_id = models.BigIntegerField(null=True)
    parent_id = models.BigIntegerField(null=True)
    text = models.CharField(max_length=2000)
    like_count = models.IntegerField(default=0)
    reply_count = models.IntegerField(default=0)
    is_pinned = models.BooleanField(default=False)
    is_listed = models.GeneratedField(expression=F("reply_count"), output_field=models.BooleanField(), db_persist=True)
    created_at = models.DateTimeField(default=timezone.now)
    edited_at = models.DateTimeField(null=True)

    class Meta(Table.Meta):
        db_table = "comments"


class CommentLike(Table):
    pk = models.CompositePrimaryKey("user_id", "comment_id")
    user_id = models.BigIntegerField()
    comment_id = models.BigIntegerField()

    class Meta(Table.Meta):
        db_table = "comment_likes"


class VideoLike(Table):
    pk = models.CompositePrimaryKey("user_id", "video_id")
    user_id = models.BigIntegerField()
    video_id = models.BigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(Table.Meta):
        db_table = "video_likes"


class Danmaku(Table):
    video_id = models.BigIntegerField()
    time_ms = models.IntegerField()
    mode = models.IntegerField()
    color = models.IntegerField()
    text = models.CharField(max_length=100)
    is_hidden = models.BooleanField()

    class Meta(Table.Meta):
        db_table = "danmaku"


class Moment(serializers.DateTimeField):
    """Milliseconds, as in the answers that this one is compared with."""

    def to_representation(self, value):
        return value and value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


class VideoSerializer(serializers.ModelSerializer):
    stream_url = serializers.SerializerMethodField()
    thumbnail_url = serializers.SerializerMethodField()
    user_id = serializers.IntegerField()
    username = serializers.CharField(source="user.username")
    created_at = Moment()

    class Meta:
        model = Video
        exclude = ("user", "file_key", "thumbnail_key")

    def get_stream_url(self, video):
        return video.file_key and f"/api/v1/videos/{video.id}/stream"

    def get_thumbnail_url(self, video):
        return video.thumbnail_key and f"/api/v1/videos/{video.id}/thumbnail?v={video.thumbnail_key[:8]}"


class CommentSerializer(serializers.ModelSerializer):
    video_id = serializers.IntegerField(read_only=True)
    user_id = serializers.IntegerField(read_only=True)
    username = serializers.CharField(source="user.username", read_only=True)
    avatar_url = serializers.SerializerMethodField()
    reply_to = serializers.ReadOnlyField(default=None)
    is_pending = serializers.ReadOnlyField(default=False)
    is_deleted = serializers.ReadOnlyField(default=False)
    is_liked = serializers.BooleanField(default=False, read_only=True)
    can_delete = serializers.SerializerMethodField()
    created_at = Moment(read_only=True)
    edited_at = Moment(read_only=True)

    class Meta:
        model = Comment
        exclude = ("video", "user", "owner_id", "is_listed")
        read_only_fields = ("root_id", "parent_id", "like_count", "reply_count", "is_pinned")

    def get_avatar_url(self, comment):
        return comment.user.avatar_id and f"/api/v1/avatars/{comment.user.avatar_id}"

    def get_can_delete(self, comment):
        return self.context["me"] in (comment.user_id, comment.owner_id)


class DanmakuSerializer(serializers.ModelSerializer):
    time = serializers.SerializerMethodField()
    color = serializers.SerializerMethodField()
    border = serializers.ReadOnlyField(default=False)

    class Meta:
        model = Danmaku
        fields = ("text", "time", "mode", "color", "border")

    def get_time(self, danmaku):
        return danmaku.time_ms / 1000

    def get_color(self, danmaku):
        return f"#{danmaku.color:06X}"


class Bearer(BaseAuthentication):
    def authenticate(self, request):
        key = hashlib.sha256(request.headers.get("Authorization", "").removeprefix("Bearer ").encode()).digest()
        session = Session.objects.filter(token_hash=key, expires_at__gt=timezone.now()).select_related("user").first()
        if not session:
            raise exceptions.AuthenticationFailed
        return session.user, session


def cursor_of(*values):
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


class OneVideo(APIView):
    def get(self, request, video_id):
        shown = Video.objects.select_related("user").filter(visibility="public", user__visibility="public")
        video = get_object_or_404(shown, id=video_id)
        more = {"is_liked": False, "is_favorited": False, "progress_ms": None}
        return Response({**VideoSerializer(video).data, **more})


class Videos(APIView):
    def get(self, request):
        limit = min(int(request.GET.get("limit", 20)), 100)
        found = Video.objects.filter(visibility="public").order_by("-created_at", "-id")
        rows = list(found.prefetch_related("user")[: limit + 1])  # a join would have MariaDB sort the whole table
        items = VideoSerializer(rows[:limit], many=True).data
        following = cursor_of(items[-1]["created_at"], items[-1]["id"]) if len(rows) > limit else None
        return Response({"items": items, "next": following})


class Comments(APIView):
    authentication_classes = (Bearer,)

    def get(self, request, video_id):
        get_object_or_404(Video.objects.only("id"), id=video_id, visibility="public")
        liked = CommentLike.objects.filter(user_id=request.user.id, comment_id=OuterRef("id"))
        found = Comment.objects.filter(video_id=video_id, root_id=None, is_listed=True)
        found = found.annotate(is_liked=Exists(liked)).order_by("-is_pinned", "-id").prefetch_related("user")
        rows = list(found[:21])
        items = CommentSerializer(rows[:20], many=True, context={"me": request.user.id}).data
        return Response({"items": items, "next": cursor_of(items[-1]["id"]) if len(rows) > 20 else None})

    def post(self, request, video_id):
        checked = CommentSerializer(data=request.data, context={"me": request.user.id})
        checked.is_valid(raise_exception=True)
        with transaction.atomic():
            shown = Video.objects.filter(id=video_id, visibility="public")
            if not shown.update(comment_count=F("comment_count") + 1):
                raise exceptions.NotFound
            owner = shown.values_list("user_id", flat=True).get()
            made = checked.save(video_id=video_id, owner_id=owner, user=request.user)
        comment = Comment.objects.select_related("user").get(id=made.id)
        answer = CommentSerializer(comment, context={"me": request.user.id}).data
        return Response(answer, 201, headers={"Location": f"/api/v1/comments/{made.id}"})


class Like(APIView):
    authentication_classes = (Bearer,)

    def put(self, request, video_id):
        with transaction.atomic():
            get_object_or_404(Video.objects.select_for_update().only("id"), id=video_id, visibility="public")
            if not VideoLike.objects.filter(user_id=request.user.id, video_id=video_id).exists():
                VideoLike.objects.create(user_id=request.user.id, video_id=video_id)
                Video.objects.filter(id=video_id).update(like_count=F("like_count") + 1)
        return Response(status=204)


class AllDanmaku(APIView):
    def get(self, request, video_id):
        get_object_or_404(Video.objects.only("id"), id=video_id, visibility="public")
        newest = Danmaku.objects.filter(video_id=video_id, is_hidden=False).order_by("-id")
        found = newest.only("text", "time_ms", "mode", "color")[: int(request.GET["limit"])]
        rows = sorted(found, key=lambda one: (one.time_ms, one.id))
        return Response(DanmakuSerializer(rows, many=True).data)


class Health(APIView):
    def get(self, request):
        return Response({"status": "ok"})


urlpatterns = [
    path("healthz", Health.as_view()),
    path("api/v1/videos", Videos.as_view()),
    path("api/v1/videos/<int:video_id>", OneVideo.as_view()),
    path("api/v1/videos/<int:video_id>/comments", Comments.as_view()),
    path("api/v1/videos/<int:video_id>/like", Like.as_view()),
    path("api/v1/videos/<int:video_id>/danmaku.art.json", AllDanmaku.as_view()),
]
sys.modules.setdefault("django_rest", sys.modules[__name__])
app = get_wsgi_application()
